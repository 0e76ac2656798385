"""What training and evaluation need of media, whatever they are stored as."""

from pathlib import Path
from typing import Protocol

from torch import Tensor

from pipelines.errors import InputError
from pipelines.media.features import FeatureMedia
from pipelines.media.images import ImageMedia


class MediaSource(Protocol):
    """A fixed list of media that gives batches by row."""

    @property
    def ids(self) -> list[str]:
        """Media ids; a row is a place in this list."""

    def batch(self, rows: Tensor) -> Tensor:
        """Inputs of the media tower for some rows ``[n]``: features ``[n, d]``, or pixels ``[n, 3, size, size]``."""


def is_pixels(path: Path) -> bool:
    """Whether a path holds images (a folder or a zip) and not feature vectors (a Parquet file)."""
    return path.is_dir() or path.suffix.lower() == ".zip"


def open_media(path: Path, ids: list[str], *, image_size: int | None) -> MediaSource:
    """Open media for the given ids.

    Args:
        path: A Parquet file of features, or a folder or zip of images.
        ids: The media wanted, in this order; for images, their names in the folder or zip.
        image_size: Side of the images the tower takes, in pixels; None for a tower that takes features.

    Raises:
        InputError: Media are missing (how many, which first), can't be read, or are not of the kind the tower takes.
    """
    if is_pixels(path):
        if image_size is None:
            raise InputError(f"{path}: holds images, which need a vision model; give one with --media-model")
        return ImageMedia(path, ids, image_size)
    if image_size is not None:
        raise InputError(f"{path}: a vision model takes images; give --media a folder or a zip of them")
    return FeatureMedia(path, ids)
