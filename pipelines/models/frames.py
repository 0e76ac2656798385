"""Video models made to take another number of frames: what they learned of time is interpolated."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.modeling.tower_vectors import frame_config


def frame_count(config: Any) -> int | None:
    """How many frames a video model takes, by its configuration; None of an image model."""
    found = frame_config(config)
    return None if found is None else int(getattr(*found))


def with_frames(model: Any, frames: int) -> Any:
    """A video model for clips of another number of frames; the model itself where it takes as many.

    Learned embeddings of time are interpolated linearly, as AVION's are (arXiv 2309.16669); those that are computed
    from a position (sinusoids, rotations) are computed for the new positions.

    Raises:
        InputError: Frames are taken in groups, and don't divide into such, or what was learned of time is not held as
            embeddings ``[1, length, d]``.
    """
    found = frame_config(model.config)
    if found is None or getattr(*found) == frames:
        return model
    together = _frames_together(found[0])
    if frames % together:
        raise InputError(
            f"--frames {frames}: {type(model).__name__} takes {together} frames at a time; give a multiple of that"
        )
    config = copy.deepcopy(model.config)
    part, name = frame_config(config) or found
    setattr(part, name, frames)
    with torch.random.fork_rng(devices=[]):  # its random weights are all replaced
        resized: nn.Module = type(model)(config)
    if getattr(model, "pooler", False) is None:
        resized.pooler = None  # type: ignore[assignment]  # transformers' way of leaving it out
    shapes = {key: value.shape[1] for key, value in resized.state_dict().items() if value.ndim == 3}
    times = getattr(*found) // together, frames // together
    state = {
        key: value if value.ndim != 3 or value.shape[1] == shapes[key] else _over_time(value, shapes[key], *times)
        for key, value in model.state_dict().items()
    }
    try:
        resized.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"--frames {frames}: what {type(model).__name__} learned of time can't be interpolated; it takes "
            f"{getattr(*found)}"
        ) from error
    return resized.train(model.training)


def _over_time(value_1ld: Tensor, length: int, old: int, new: int) -> Tensor:
    """Interpolate embeddings ``[1, l, d]``: of tokens without a time, then of a grid of ``old`` times and some places.

    Args:
        value_1ld: The embeddings.
        length: How many are wanted.
        old: Times of those given.
        new: Times of those wanted.
    """
    places = (length - value_1ld.shape[1]) // (new - old)
    first = value_1ld.shape[1] - places * old
    grid = value_1ld[0, first:].reshape(old, places, -1).permute(1, 2, 0)
    grid = nn.functional.interpolate(grid.float(), size=new, mode="linear").to(value_1ld.dtype)
    rest = grid.permute(2, 0, 1).flatten(0, 1)[None]
    return torch.cat([value_1ld[:, :first], rest], dim=1)


def _frames_together(config: Any) -> int:
    """Frames of a tubelet: as many as make one token."""
    tubelet = getattr(config, "tubelet_size", None) or 1
    return int(tubelet if isinstance(tubelet, int) else tubelet[0])
