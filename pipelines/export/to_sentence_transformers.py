"""A folder that loads with sentence-transformers alone."""

import os
import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from pipelines.errors import InputError
from pipelines.export.markdown import python_string
from pipelines.export.portable import clip_like_model
from pipelines.export.processors import save_processors
from pipelines.export.run import Run
from pipelines.export.usage import PROCESSOR_NOTE, Inputs
from pipelines.export.written import Written
from pipelines.models import ClipTextTower, SentenceTower, VisionTower, load_text_tower
from pipelines.models.loading import load_processor, load_sentence_module

_VECTOR = "sentence_embedding"  # what its modules call the vector of a text or image


def write_sentence_transformers(run: Run, folder: Path, name: str) -> Written:
    """Write the texts' side, and that of images, by a router, where media are such.

    Args:
        run: The run.
        folder: Where to write.
        name: What the folder will be called.

    Raises:
        InputError: The model behind the run's text embeddings isn't known, or the library can't hold the text tower.
    """
    from sentence_transformers import SentenceTransformer

    inputs = Inputs.of(run)
    notes = [PROCESSOR_NOTE] if inputs.media == "images" else []
    prompts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        whole = clip_like_model(run.model, run.last_temperature())
        if whole is not None:
            modules = [_whole(run, whole, inputs, Path(scratch))]
        else:
            modules, prompts = _text_side(run)
            if inputs.media == "images":
                modules = [_routed(modules, _image_side(run))]
            else:
                notes.append(
                    f"The side of texts only: sentence-transformers has no place for "
                    f"{'clips' if run.takes_clips else 'media features'}."
                )
        SentenceTransformer(modules=modules, similarity_fn_name="cosine", **prompts).save(
            os.fspath(folder), create_model_card=False
        )
    sides = ["text", "image"] if inputs.media == "images" else ["text"]
    return Written("sentence-transformers", _usage(inputs, name), notes, {"sides": sides})


def _whole(run: Run, model: Any, inputs: Inputs, scratch: Path) -> Any:
    """A CLIP-like model with both its sides."""
    model.save_pretrained(scratch)
    save_processors(run.model, run.folder / "model" / "media_tower", scratch)
    load_processor(scratch).save_pretrained(scratch)
    sides = {
        side: {"method": f"get_{side}_features", "method_output_name": "pooler_output"} for side in ("text", "image")
    }
    return _transformer(run, scratch, sides, _VECTOR, inputs.padding)


def _text_side(run: Run) -> tuple[list[nn.Module], dict[str, Any]]:
    """The modules of the texts' side, and the prompts they are made for."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    tower = run.model.text_tower
    normalized = []
    if tower is None:
        source = run.text_embedding_model()
        tower = load_text_tower(source, trust_remote_code=run.trust_remote_code)
        if not isinstance(tower, SentenceTower):
            raise InputError(f"model '{source}': is not a sentence-transformers model; use --to transformers")
        normalized = [Normalize()]  # as `mmts embed` does
    if isinstance(tower, SentenceTower):
        prompts = {"prompts": tower.model.prompts, "default_prompt_name": tower.model.default_prompt_name}
        return [*tower.model.children(), *normalized, *_head(run.model.text_head)], prompts
    assert isinstance(tower, ClipTextTower)
    folder = run.folder / "model" / "text_tower"
    projection = getattr(tower.model, "text_projection", None)
    output = {"text": {"method": "forward", "method_output_name": "pooler_output"}}
    try:
        first = _transformer(run, folder, output, _VECTOR, tower.tokenizer.padding)
    except ValueError as error:  # AutoModel doesn't know the text sides of all such models by themselves
        raise InputError(
            f"{folder}: sentence-transformers can't hold {type(tower.model).__name__} by itself; use --to transformers"
        ) from error
    first.max_seq_length = tower.tokenizer.max_length
    return [first, *_linear(projection), *_head(run.model.text_head)], {}


def _image_side(run: Run) -> list[nn.Module]:
    """The modules of the images' side: what `VisionTower.forward` does, and the head."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    tower = run.model.media_tower
    assert isinstance(tower, VisionTower)
    folder = run.folder / "model" / "media_tower"
    output = tower.model(pixel_values=tower.example().float())
    pooled = getattr(output, "pooler_output", None)
    projection = getattr(tower.model, "visual_projection", None)
    if projection is not None or (pooled is not None and pooled.ndim == 2):
        entry = {"image": {"method": "forward", "method_output_name": "pooler_output"}}
        return [_transformer(run, folder, entry, _VECTOR), *_linear(projection), *_head(run.model.media_head)]
    name = "last_hidden_state" if pooled is None else "pooler_output"  # of a convolutional network: [n, d, 1, 1]
    entry = {"image": {"method": "forward", "method_output_name": name}}
    mean = Pooling(tower.dimension, "mean")
    return [_transformer(run, folder, entry, "token_embeddings"), mean, *_head(run.model.media_head)]


def _routed(text: list[nn.Module], image: list[nn.Module]) -> nn.Module:
    from sentence_transformers.sentence_transformer.modules import Router

    router: nn.Module = Router({"text": text, "image": image}, default_route="text")
    return router


def _transformer(run: Run, folder: Path, modalities: dict[str, Any], output: str, padding: str = "longest") -> Any:
    padded: dict[str, Any] = {} if padding == "longest" else {"processing_kwargs": {"text": {"padding": padding}}}
    return load_sentence_module(
        folder,
        trust_remote_code=run.trust_remote_code,
        modality_config=modalities,
        module_output_name=output,
        **padded,
    )


def _head(head: nn.Module) -> list[nn.Module]:
    """A projection head as modules of sentence-transformers."""
    if isinstance(head, nn.Sequential):
        return [*_linear(head[0], nn.GELU()), *_linear(head[2])]
    return _linear(head)


def _linear(layer: nn.Module | None, activation: nn.Module | None = None) -> list[nn.Module]:
    """A linear layer as a module of sentence-transformers; nothing of what is none."""
    from sentence_transformers.sentence_transformer.modules import Dense

    if not isinstance(layer, nn.Linear):
        return []
    dense: Any = Dense(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        activation_function=activation or nn.Identity(),
    )
    dense.linear.load_state_dict(layer.state_dict())
    return [dense]


def _usage(inputs: Inputs, name: str) -> str:
    lines = ["from sentence_transformers import SentenceTransformer", ""]
    if inputs.media == "images":
        lines.insert(0, "from PIL import Image")
    lines += [
        f"model = SentenceTransformer({python_string(name)})",
        'text_nd = model.encode(["a dog in the snow", "two people on a bridge"])',
    ]
    if inputs.media == "images":
        lines += [
            'image_nd = model.encode([Image.open("image.jpg")])',
            "similarity = model.similarity(image_nd, text_nd)",
        ]
    else:
        lines.append("similarity = model.similarity(text_nd, text_nd)")
    return "\n".join(lines)
