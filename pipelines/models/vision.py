"""Vision towers from transformers: from a config alone (from scratch), a local folder with weights, or a hub id."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

_WEIGHTS = ("*.safetensors", "*.bin", "*.index.json")


class VisionTower(nn.Module):
    """A transformers vision model that turns pixels, uint8 or from 0 to 1, into one vector an image.

    Args:
        model: The vision model; of a CLIP-like model its vision side is taken.
        mean: Mean of each colour channel the model expects.
        std: Standard deviation of each colour channel the model expects.

    Raises:
        InputError: It is no vision model.
    """

    mean_c11: Tensor
    std_c11: Tensor

    def __init__(self, model: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.model: Any = getattr(model, "vision_model", model).float()
        if self.model.main_input_name != "pixel_values":
            raise InputError(f"{type(self.model).__name__} takes {self.model.main_input_name}, not pixels")
        config: Any = self.model.config
        self.image_size = _image_size(config)
        self.dimension = int(getattr(config, "hidden_size", 0) or config.hidden_sizes[-1])
        self.register_buffer("mean_c11", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std_c11", torch.tensor(std).reshape(-1, 1, 1), persistent=False)

    def forward(self, pixels_nchw: Tensor) -> Tensor:
        """Return ``[n, dimension]``: the model's pooled output, or the mean over its tokens where it has none."""
        if not pixels_nchw.is_floating_point():
            pixels_nchw = pixels_nchw / 255
        output = self.model(pixel_values=(pixels_nchw - self.mean_c11) / self.std_c11)
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None:
            return torch.flatten(pooled, 1)
        hidden: Tensor = output.last_hidden_state
        return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))

    def save(self, folder: Path) -> None:
        """Write the model as transformers does, with the normalisation it expects."""
        self.model.save_pretrained(folder)
        processor = {
            "image_mean": self.mean_c11.flatten().tolist(),
            "image_std": self.std_c11.flatten().tolist(),
            "do_rescale": True,
            "rescale_factor": 1 / 255,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def load_vision_tower(source: str) -> VisionTower:
    """Load a vision tower.

    Args:
        source: A folder with ``config.json`` and weights, or a hub id; or a ``config.json``, or a folder with one
            and no weights: the tower then starts from scratch, from torch's random state.

    Raises:
        InputError: It can't be loaded, or is no vision model.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    path = Path(source)
    folder = path.parent if path.is_file() else path
    try:
        if path.is_file() or (path.is_dir() and not any(any(folder.glob(pattern)) for pattern in _WEIGHTS)):
            model = AutoModel.from_config(AutoConfig.from_pretrained(source))
        else:
            model = AutoModel.from_pretrained(source)
        mean, std = _normalisation(folder)
        return VisionTower(model, mean, std)
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"--media-model {source}: not a vision model's config, folder or hub id that loads ({reason})"
        ) from error


def _normalisation(folder: Path) -> tuple[list[float], list[float]]:
    file = folder / "preprocessor_config.json"
    if not file.is_file():
        return [0.5] * 3, [0.5] * 3
    processor = read_json(file)
    return list(processor.get("image_mean", [0.5] * 3)), list(processor.get("image_std", [0.5] * 3))


def _image_size(config: Any) -> int:
    size = getattr(config, "image_size", 224)
    return int(size if isinstance(size, int) else max(size))
