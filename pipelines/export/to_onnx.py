"""A folder of ONNX graphs, one a side, for any runtime."""

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.export.markdown import python_string
from pipelines.export.portable import portable_model
from pipelines.export.processors import save_processors
from pipelines.export.run import Run
from pipelines.export.usage import Inputs
from pipelines.export.written import Written
from pipelines.modeling.modeling_mmts import MmtsModel

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_ROOM = 2**30  # a graph's own file holds less than 2 GiB; weights of larger ones get a file beside it


class _MediaSide(nn.Module):
    def __init__(self, model: MmtsModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, media: Tensor) -> Tensor:
        embed = self.model.get_media_features if media.ndim == 2 else self.model.get_image_features
        embedded: Tensor = embed(media)
        return embedded


class _TextSide(nn.Module):
    def __init__(self, model: MmtsModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, texts: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        if texts.is_floating_point():
            embedded: Tensor = self.model.get_text_features(text_embeddings=texts)
        else:
            embedded = self.model.get_text_features(texts, attention_mask)
        return embedded


def write_onnx(run: Run, folder: Path, name: str) -> Written:
    """Write ``media.onnx`` and ``text.onnx``, each checked with onnxruntime against the model.

    Args:
        run: The run.
        folder: Where to write.
        name: What the folder will be called.

    Raises:
        InputError: A package is missing, or the text tower has a module that can't be exported.
    """
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"--to onnx needs the package {missing[0]}; install it with `pip install 'mmts[onnx]'`")
    inputs = Inputs.of(run)
    model = portable_model(run.model)
    media_name = "features" if inputs.media == "features" else "pixel_values"
    media = {media_name: _example_media(run, inputs)}
    texts = _example_texts(run, inputs)
    differences = {
        "media": _write(_MediaSide(model), media, folder / "media.onnx", "media_embeds"),
        "text": _write(_TextSide(model), texts, folder / "text.onnx", "text_embeds"),
    }
    save_processors(run.model, run.folder / "model" / "media_tower", folder)
    return Written(
        "onnx", _usage(inputs, name, media_name, list(texts)), inputs.notes(), {"max_difference": differences}
    )


def _example_media(run: Run, inputs: Inputs) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if run.model.media_tower is None:
        return torch.randn(2, inputs.media_size, generator=generator)
    size = run.model.media_tower.image_size
    frames = () if inputs.frames is None else (inputs.frames,)
    return torch.randn(2, *frames, 3, size, size, generator=generator)


def _example_texts(run: Run, inputs: Inputs) -> dict[str, Tensor]:
    if run.model.text_tower is None:
        return {"text_embeddings": torch.randn(2, inputs.text_size, generator=torch.Generator().manual_seed(0))}
    tokens = run.model.text_tower.tokenize(["a dog in the snow", "two people on a bridge look at the water"])
    return {name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens}


def _write(side: nn.Module, inputs: dict[str, Tensor], path: Path, output: str) -> float:
    """Write one graph; returns how far its vectors are from the model's at most, on another batch size."""
    import onnxruntime  # type: ignore[import-untyped]

    size = sum(value.numel() * value.element_size() for value in side.state_dict().values())
    batch = torch.export.Dim("batch")
    shapes: list[Any] = [
        {0: batch, 1: torch.export.Dim("tokens")} if not value.is_floating_point() else {0: batch}
        for value in inputs.values()
    ]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter itself is made of
        torch.onnx.export(
            side.eval(),
            tuple(inputs.values()),
            os.fspath(path),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple(shapes),
            dynamo=True,
            external_data=size > _ROOM,
            verbose=False,
        )
        one = {name: value[:1] for name, value in inputs.items()}
        expected = side(*one.values()).numpy()
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: value.numpy() for name, value in one.items()})
    return float(np.abs(found - expected).max())


def _usage(inputs: Inputs, name: str, media: str, texts: list[str]) -> str:
    lines = ["import numpy", *inputs.imports("onnxruntime")]
    lines += inputs.media_code(name, "np") + inputs.text_code(name, "np")
    given = (
        "{'text_embeddings': texts}"
        if inputs.texts == "embeddings"
        else "{" + ", ".join(f"'{each}': texts['{each}']" for each in texts) + "}"
    ).replace("'", '"')
    lines += [
        f"media_side = onnxruntime.InferenceSession({python_string(f'{name}/media.onnx')})",
        f"text_side = onnxruntime.InferenceSession({python_string(f'{name}/text.onnx')})",
        f'(media_nd,) = media_side.run(None, {{"{media}": media}})',
        f"(text_nd,) = text_side.run(None, {given})",
        "lengths = numpy.linalg.norm(media_nd, axis=1) * numpy.linalg.norm(text_nd, axis=1)",
        "similarity = (media_nd * text_nd).sum(axis=1) / lengths",
    ]
    return "\n".join(lines)
