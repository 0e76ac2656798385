"""From a checkpoint's file to a model of transformers, its tokenizer, and what its pixels are like."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.import_model.checkpoint import read_checkpoint
from pipelines.import_model.clip_names import Architecture, clip_model, open_clip_architecture
from pipelines.import_model.settings import OF_VIDEOS, ImportSettings
from pipelines.import_model.space_time_names import avion_model, lavila_model
from pipelines.import_model.tokenizer import clip_tokenizer
from pipelines.import_model.weights import Weights
from pipelines.modeling import register_models
from pipelines.models.loading import model_errors
from pipelines.models.processors import write_processor
from pipelines.models.quiet import quiet_libraries

_CLIP_STATISTICS = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
# Those that AVION and LaViLa train with, in both their styles; the means of ``openai`` are not CLIP's.
_VIDEO_STATISTICS = {
    "openai": ([108.3272985 / 255, 116.7460125 / 255, 104.09373615 / 255], _CLIP_STATISTICS[1]),
    "timm": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),  # ImageNet's
}
_EITHER_CLIP = "openai-clip and open_clip"
# A weight that only checkpoints of one origin have; the first that is there tells.
_SIGNS = {
    "lavila": "visual.blocks.0.timeattn.qkv.weight",
    "avion": "textual.token_embedding.weight",
    _EITHER_CLIP: "visual.transformer.resblocks.0.attn.in_proj_weight",
}


@dataclass(frozen=True)
class Converted:
    """A checkpoint in the form of transformers.

    Attributes:
        model: The model, both sides.
        tokenizer: Of its texts.
        mean: Mean of each colour channel of its images, of pixels from 0 to 1.
        std: Standard deviation of each.
    """

    model: Any
    tokenizer: Any
    mean: list[float]
    std: list[float]

    def save(self, folder: Path) -> None:
        """Write all of it to a folder."""
        with quiet_libraries():
            self.model.save_pretrained(os.fspath(folder))
            self.tokenizer.save_pretrained(os.fspath(folder))
        write_processor(folder, self.model.config.vision_config.image_size, self.mean, self.std)

    def summary(self, origin: str) -> dict[str, Any]:
        """Its figures, see ``import_model``."""
        vision, text = self.model.config.vision_config, self.model.config.text_config
        return {
            "from": origin,
            "class": type(self.model).__name__,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "dimension": text.projection_dim,
            "image_size": vision.image_size,
            "frames": getattr(vision, "num_frames", None),
            "tokens": text.max_position_embeddings,
        }


def convert(checkpoint: Path, settings: ImportSettings) -> Converted:
    """Convert a checkpoint.

    Raises:
        InputError: It can't be read, isn't one of its origin, or the tokenizer can't be had.
    """
    register_models()
    tokenizer = clip_tokenizer(settings.tokenizer)
    with model_errors(str(checkpoint), f"a checkpoint of {settings.origin}"), quiet_libraries():
        state, arguments = read_checkpoint(checkpoint)
        weights = Weights(state)
        found = next((name for name, sign in _SIGNS.items() if sign in weights), None)
        if "fc_cls.weight" in weights and not any(
            name.startswith(("textual.", "transformer.")) for name in weights.names()
        ):
            raise InputError("has no text side: it classifies actions; take the checkpoint of contrastive pretraining")
        if found is not None and settings.origin not in found:
            give = "--from openai-clip (QuickGELU) or open_clip (mostly GELU), whichever it is"
            give = give if found == _EITHER_CLIP else f"--from {found}"
            raise InputError(f"has weights as {found} {'name' if found == _EITHER_CLIP else 'names'} them; give {give}")
        described = None if settings.config is None else read_json(settings.config)
        model = _model(weights, settings, described)
        mean, std = _statistics(settings, arguments, described or {})
    text = model.config.text_config
    if len(tokenizer) > text.vocab_size:
        raise InputError(
            f"{checkpoint}: knows {text.vocab_size:,} tokens, but the tokenizer has {len(tokenizer):,}; give that of "
            "this model with --tokenizer"
        )
    tokenizer.model_max_length = text.max_position_embeddings
    _warn_if_fine_tuned(checkpoint, arguments)
    return Converted(model, tokenizer, mean, std)


def _warn_if_fine_tuned(checkpoint: Path, arguments: dict[str, Any]) -> None:
    """Warn of a checkpoint that has seen a benchmark already, by the arguments that it keeps.

    Only AVION's and LaViLa's fine-tuning is told a model to begin with; their pretraining is told ``pretrain_path``.
    """
    dataset = arguments.get("dataset")
    dataset = dataset[:40] if isinstance(dataset, str) else ""
    if arguments.get("pretrain_model") or arguments.get("finetune") or dataset.startswith("ek100"):
        warnings.warn(
            f"{checkpoint}: was fine-tuned{f' on {dataset}' if dataset else ''} already; start from a pretrained "
            "checkpoint to reproduce published results",
            stacklevel=2,
        )


def _model(weights: Weights, settings: ImportSettings, described: dict[str, Any] | None) -> Any:
    if settings.origin == "avion":
        return avion_model(weights, settings.image_size, settings.frames)
    if settings.origin == "lavila":
        return lavila_model(weights, settings.image_size, settings.frames)
    if described is not None:
        return clip_model(weights, open_clip_architecture(described), settings.image_size)
    return clip_model(
        weights, Architecture("gelu" if settings.activation == "gelu" else "quick_gelu"), settings.image_size
    )


def _statistics(
    settings: ImportSettings, arguments: dict[str, Any], described: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each colour channel in the checkpoint's training.

    Args:
        settings: Whose checkpoint it is.
        arguments: Those of its training, as far as it keeps them.
        described: open_clip's configuration of the model; empty if there is none.

    Raises:
        InputError: The training's style is unknown.
    """
    if settings.origin in OF_VIDEOS:
        # AVION's training is told the style; LaViLa's goes by the model's name.
        of_lavila = "openai" if "OPENAI" in str(arguments.get("model", "OPENAI")) else "timm"
        kept = of_lavila if settings.origin == "lavila" else arguments.get("norm_style", "openai")
        style = str(settings.norm_style or kept)
        if style not in _VIDEO_STATISTICS:
            raise InputError(f"was trained with norm_style {style[:40]}, which AVION's code lacks; give --norm-style")
        return _VIDEO_STATISTICS[style]
    mean, std = _CLIP_STATISTICS
    preprocessing = described.get("preprocess_cfg", {})
    return preprocessing.get("mean", mean), preprocessing.get("std", std)
