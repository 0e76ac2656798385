"""Vision towers from transformers: from a config alone (from scratch), a local folder with weights, or a hub id."""

import contextlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.modeling.tower_vectors import media_vectors
from pipelines.models.frames import frame_count, with_frames
from pipelines.models.loading import load_config, load_transformers, model_errors, model_folder
from pipelines.models.processors import framing, normalisation, read_processor, write_processor
from pipelines.models.sides import is_dual, one_side

_LARGEST_IMAGE, _USUAL_IMAGE = 4096, 224


class VisionTower(nn.Module):
    """A transformers vision model that turns pixels into one vector an image; of a video model, one a clip.

    Batch norms, in training, take the statistics of the images of one forward pass. With gradient caching that is a
    micro-batch, and its running statistics move twice a step; freeze them, or use a tower with layer norms, where
    the result must not depend on the size of a micro-batch.

    Args:
        model: The vision model; of a CLIP-like model its vision side is taken, with its projection.
        mean: Mean of each colour channel the model expects.
        std: Standard deviation of each colour channel the model expects.
        image_size: Side of the images that its processor gives; that of the model's configuration if None, or if the
            model takes no other.
        shortest_edge: Pixels that its processor scales an image's shorter side to; ``image_size`` if None.

    Attributes:
        image_size: Side of the images it takes, in pixels.
        shortest_edge: What the shorter side of an image is scaled to, before its centre is taken in evaluation.
        dimension: Size of its vectors.

    Raises:
        InputError: It is not a vision model.
    """

    mean_c11: Tensor
    std_c11: Tensor

    def __init__(
        self,
        model: nn.Module,
        mean: list[float],
        std: list[float],
        image_size: int | None = None,
        shortest_edge: int | None = None,
    ) -> None:
        super().__init__()
        self.model: Any = (one_side(model, "vision") if is_dual(model) else model).float()
        if self.model.main_input_name not in ("pixel_values", "pixel_values_videos"):
            raise InputError(f"{type(self.model).__name__} takes {self.model.main_input_name}, not pixels")
        self.register_buffer("mean_c11", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std_c11", torch.tensor(std).reshape(-1, 1, 1), persistent=False)
        self.image_size, self.dimension = self._fitting(image_size, _image_size(self.model.config))
        self.shortest_edge = shortest_edge if shortest_edge and self.image_size == image_size else self.image_size

    @property
    def transformer(self) -> Any:
        """The transformers model."""
        return self.model

    @property
    def frames(self) -> int | None:
        """Frames of the clips that a video model takes; None of an image model."""
        return frame_count(self.model.config)

    def take_frames(self, frames: int | None) -> None:
        """Make a video model take clips of so many frames, see `with_frames`; as it is if None, or of an image model.

        Raises:
            InputError: It can't.
        """
        if frames is not None:
            self.model = with_frames(self.model, frames)

    def _fitting(self, *sizes: int | None) -> tuple[int, int]:
        """The first size of images that the model takes, and that of its vectors."""
        wanted = list(dict.fromkeys(size for size in sizes if size)) or [_USUAL_IMAGE]
        for size in wanted:
            if not 1 <= size <= _LARGEST_IMAGE:
                raise InputError(f"takes images of {size:.3g} pixels a side; mmts takes 1 to {_LARGEST_IMAGE:,}")
        for size in wanted[:-1]:
            self.image_size = size
            with contextlib.suppress(ValueError, RuntimeError):  # what models say of positions that don't fit
                return size, _dimension(self)
        self.image_size = wanted[-1]
        return self.image_size, _dimension(self)

    def example(self) -> Tensor:
        """One black image, or clip, as the tower takes it."""
        clip = () if self.frames is None else (self.frames,)
        size = self.image_size
        return torch.zeros(1, *clip, 3, size, size, dtype=torch.uint8, device=self.mean_c11.device)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return ``[n, dimension]``, see `media_vectors`.

        Args:
            pixels: Images ``[n, 3, size, size]``, or, for a video model, clips ``[n, frames, 3, size, size]``; uint8
                from 0 to 255 or float from 0 to 1.
        """
        if not pixels.is_floating_point():
            pixels = pixels.to(self.mean_c11.dtype) / 255
        return media_vectors(self.model, (pixels - self.mean_c11) / self.std_c11)

    def save(self, folder: Path) -> None:
        """Write the model as transformers does, with an image processor that prepares images as ours are.

        It loads with the class that ``architectures`` in its ``config.json`` names, or with ``AutoModel``, which
        leaves a projection out.
        """
        self.model.save_pretrained(os.fspath(folder))
        mean, std = (each.flatten().tolist() for each in (self.mean_c11, self.std_c11))
        write_processor(folder, self.image_size, mean, std, self.shortest_edge)


def load_vision_tower(source: str, *, trust_remote_code: bool = False, name: str | None = None) -> VisionTower:
    """Load a vision tower.

    Args:
        source: A folder with ``config.json`` and weights, or a hub id; or a ``config.json``, or a folder with one
            and no weights: the tower then starts from scratch, from torch's random state.
        trust_remote_code: Whether code that comes with the model may run.
        name: What errors call the model; ``--media-model SOURCE`` if None.

    Raises:
        InputError: It can't be loaded, or is not a vision model.
    """
    with model_errors(name or f"--media-model {source}", "a vision model"):
        trust: dict[str, Any] = {"trust_remote_code": trust_remote_code}
        return vision_tower(load_transformers(source, **trust), source, **trust)


def input_bytes(source: str, frames: int | None, *, trust_remote_code: bool = False) -> int:
    """Bytes of an image, or of a clip, as a vision tower is going to take it, by its configuration and processor.

    Args:
        source: As for `load_vision_tower`.
        frames: Frames of a clip; None for an image, or for a video model's own number.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: They can't be read.
    """
    with model_errors(f"--media-model {source}", "a vision model"):
        config = load_config(source, trust_remote_code=trust_remote_code)
        processor = read_processor(model_folder(source, trust_remote_code=trust_remote_code))
        size = framing(processor)[0] or _image_size(config) or _USUAL_IMAGE
        return 3 * size**2 * (frames or frame_count(config) or 1)


def vision_tower(model: Any, source: str, *, trust_remote_code: bool = False) -> VisionTower:
    """The vision tower of a model that was loaded from ``source``, where its normalisation is read.

    Raises:
        InputError: It is not a vision model.
    """
    processor = read_processor(model_folder(source, trust_remote_code=trust_remote_code))
    mean, std = normalisation(processor)
    return VisionTower(model, mean, std, *framing(processor))


def _image_size(config: Any) -> int | None:
    for part in (config, getattr(config, "vision_config", None)):
        size = getattr(part, "image_size", None) or getattr(part, "crop_size", None)
        if size is not None:
            break
    return size if size is None or isinstance(size, int) else int(max(size))


def _dimension(tower: VisionTower) -> int:
    """The size of the vectors, from one forward pass: configurations name it in too many ways."""
    training = tower.training
    tower.eval()
    try:
        with torch.no_grad():
            return int(tower(tower.example()).shape[1])
    finally:
        tower.train(training)
