"""How a vision model is called, and what it gives is read: one vector an image, or a clip."""

from typing import Any

import torch
from torch import Tensor

# The names that configurations of video models have for the number of frames.
FRAME_COUNTS = ("num_frames", "frames_per_clip")
# Their classifiers read the class token; as a mean over tokens it would be lost among hundreds.
_READ_AT_CLASS_TOKEN = ("timesformer", "vivit")


def frame_config(config: Any) -> tuple[Any, str] | None:
    """The part of a configuration that holds the number of frames, and its name there; None of an image model."""
    for part in (config, getattr(config, "vision_config", None)):
        for name in FRAME_COUNTS:
            if getattr(part, name, None) is not None:
                return part, name
    return None


def media_vectors(model: Any, pixels: Tensor) -> Tensor:
    """Vectors ``[n, d]`` of images ``[n, 3, size, size]``, or, by a video model, of clips ``[n, f, 3, size, size]``.

    It is the model's projection into a shared space, its pooled output, its class token where its classifiers read
    that, or the mean over its tokens: the first of these that it has.
    """
    options = {"skip_predictor": True} if model.config.model_type == "vjepa2" else {}
    output = model(**{model.main_input_name: pixels}, **options)
    pooled = pooled_output(output, "image_embeds")
    if pooled is not None:
        return pooled
    hidden: Tensor = output.last_hidden_state
    if model.config.model_type in _READ_AT_CLASS_TOKEN:
        return hidden[:, 0]
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def pooled_output(output: Any, projected: str) -> Tensor | None:
    """A model's projection, of this name, or its pooled output ``[n, d]``; None where it has neither."""
    for name in (projected, "pooler_output"):
        vectors = getattr(output, name, None)
        if vectors is not None:
            return torch.flatten(vectors, 1)
    return None
