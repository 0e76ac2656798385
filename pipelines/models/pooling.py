"""From the vectors of a clip's frames to one vector."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pipelines.errors import InputError

PoolingName = Literal["mean", "attention"]
POOLINGS: tuple[PoolingName, ...] = get_args(PoolingName)


class MeanPooling(nn.Module):
    """The mean over the frames, however many."""

    def forward(self, frames_nfd: Tensor) -> Tensor:
        """Return ``[n, d]`` of ``[n, f, d]``."""
        return frames_nfd.mean(dim=1)


class AttentionPooling(nn.Module):
    """A mean over the frames whose weights depend on what is seen and when.

    Each frame's weight is the softmax of a learned query's product with the frame's vector, to which a learned
    embedding of its place is added, and which is layer-normalised. The query starts at zero: training starts from the
    plain mean.

    Args:
        dimension: Size of a frame's vector.
        frames: Frames of a clip.
    """

    def __init__(self, dimension: int, frames: int) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(frames, dimension))
        self.query = nn.Parameter(torch.zeros(dimension))
        self.norm = nn.LayerNorm(dimension)

    def forward(self, frames_nfd: Tensor) -> Tensor:
        """Return ``[n, d]`` of ``[n, f, d]``.

        Raises:
            InputError: The clips have another number of frames.
        """
        frames, dimension = self.position.shape
        if frames_nfd.shape[1] != frames:
            raise InputError(f"attention pooling is over {frames} frames per clip, not {frames_nfd.shape[1]}")
        scores_nf = self.norm(frames_nfd + self.position) @ self.query / math.sqrt(dimension)
        pooled: Tensor = (scores_nf.softmax(dim=1)[..., None] * frames_nfd).sum(dim=1)
        return pooled


def make_pooling(name: PoolingName, dimension: int, frames: int | None) -> nn.Module:
    """Return the pooling of this name over ``[n, frames, dimension]``.

    Raises:
        InputError: The name is unknown, or attention lacks the number of frames.
    """
    if name == "mean":
        return MeanPooling()
    if name == "attention":
        if frames is None:
            raise InputError("--pooling attention is over the frames of video clips; give --frames, or leave it out")
        return AttentionPooling(dimension, frames)
    raise InputError(f"pooling {name!r} is unknown; choose one of {', '.join(POOLINGS)}")
