"""What training and evaluation need of media, whatever they are stored as."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from pipelines.artifacts import Vectors, open_parquet, read_vectors
from pipelines.artifacts.files import require_file
from pipelines.artifacts.media_tables import byte_column
from pipelines.artifacts.opening import files_matching, is_pattern
from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from pipelines.artifacts.provenance import is_table_in_parts
from pipelines.artifacts.strings import string_column
from pipelines.errors import InputError
from pipelines.media.blobs import Blobs
from pipelines.media.byte_tables import TableBlobs
from pipelines.media.clips import ClipMedia
from pipelines.media.features import FeatureMedia
from pipelines.media.files import open_folder, open_zip
from pipelines.media.images import ImageMedia
from pipelines.media.linked import LinkedBlobs
from pipelines.media.listing import MediaList
from pipelines.media.tars import expand, open_tars
from pipelines.media.view import View

CACHE_BYTES = 4 * 2**30


class MediaSource(Protocol):
    """A fixed list of media, each read when it is asked for. Pickles, and works in forked and spawned processes."""

    @property
    def ids(self) -> Sequence[str]:
        """Media ids; a row is a place in this list."""

    @property
    def is_in_memory(self) -> bool:
        """Whether reading costs nothing, so that worker processes would only be in the way."""

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        """Input of the media tower for one medium.

        Args:
            row: The medium.
            random: Draws its augmentation and the frames of a clip, as in training; None for the evaluation view: the
                centre square, the centre frames.

        Returns:
            Features ``[d]`` float32, an image ``[3, size, size]`` uint8, or a clip ``[frames, 3, size, size]`` uint8.

        Raises:
            DamagedMediumError: The medium can't be decoded.
        """

    def blank(self) -> Tensor:
        """Zeros of the shape that ``load`` gives, to hold the place of a medium that can't be decoded."""

    def batch(self, rows: Tensor) -> Tensor:
        """Evaluation views of some rows ``[n]``, stacked.

        Raises:
            DamagedMediumError: A medium can't be decoded.
        """


def open_media(
    path: Path | None,
    media: MediaList,
    *,
    view: View | None,
    cache_bytes: int = CACHE_BYTES,
    scratch: Path | None = None,
) -> MediaSource:
    """Open media.

    Args:
        path: A Parquet file of features or of bytes (or a folder of the latter); a folder or zip of files; a tar, a
            folder of tars, or a pattern such as ``shards-{00000..00099}.tar``; None where the annotations' column
            ``media`` says where each is.
        media: The media wanted, in this order.
        view: What the media tower takes; None for one that takes features.
        cache_bytes: Memory for evaluation views, shared with forked workers; if they don't all fit, none are kept.
        scratch: A folder for features that are too large for memory, see `read_vectors`.

    Raises:
        InputError: Media are missing (how many, which first), can't be read, or are not of the kind the tower takes.
    """
    if view is None:
        return FeatureMedia(read_features(path, media.source, scratch, only=media.ids), media.ids)
    if path is not None and holds_features(path):
        raise InputError(
            f"{path}: a vision model takes images; give --media a folder or a zip of them, tars, or Parquet with bytes"
        )
    blobs = open_blobs(path, media, IMAGE_SUFFIXES if view.frames is None else VIDEO_SUFFIXES)
    _refuse_other_kind(blobs, media, view)
    if view.frames is None:
        return ImageMedia(blobs, media.ids, view, cache_bytes)
    return ClipMedia(blobs, media, view, cache_bytes)


def read_features(
    path: Path | None, annotations: Path, scratch: Path | None = None, *, only: Sequence[str] | None = None
) -> Vectors:
    """Read the features that media are, where no model takes pixels.

    Args:
        path: What ``--media`` names; None where the annotations say where media are.
        annotations: The annotations, for messages.
        scratch: A folder for features that are too large for memory, see `read_vectors`.
        only: The media whose features are wanted; all if None.

    Raises:
        InputError: It holds pixels, or can't be used.
    """
    if path is None or not holds_features(path):
        raise InputError(f"{path or annotations}: holds images, which need a vision model; give one with --media-model")
    return read_vectors(path, only=None if only is None else string_column(only), scratch=scratch)


def media_files(path: Path) -> list[Path]:
    """The files or the folder that ``--media`` names, all of which exist: a pattern's files, else the path itself.

    Raises:
        InputError: One is missing or can't be read.
    """
    files = files_matching(path) if is_pattern(path) else expand(path)
    for file in files:
        if not file.is_dir():
            require_file(file)
    return files


def media_inputs(path: Path | None) -> dict[str, Path]:
    """The files or the folder that ``--media`` names, by role, for a stage's provenance; none where it is None.

    Raises:
        InputError: One is missing or can't be read.
    """
    files = [] if path is None else [path] if is_table_in_parts(path) else media_files(path)
    return {"media": files[0]} if len(files) == 1 else {f"media {file.name}": file for file in files}


def holds_features(path: Path) -> bool:
    """Whether a path is Parquet without bytes, in one file or in parts, or nothing that holds pixels."""
    if is_table_in_parts(path):
        return True
    if path.is_dir() or path.suffix.lower() in (".zip", ".tar") or len(expand(path)) > 1:
        return False
    return not _holds_bytes(path)


def _holds_bytes(path: Path) -> bool:
    with open_parquet(path) as file:
        return byte_column(file.schema_arrow) is not None and "embedding" not in file.schema_arrow.names


def open_blobs(path: Path | None, media: MediaList, suffixes: tuple[str, ...]) -> Blobs:
    """Find the files of media, see `open_media`.

    Args:
        path: Where they are.
        media: The media.
        suffixes: What names of such media end in.

    Raises:
        MissingMediaError: Media are missing; says how many, which first.
        InputError: The path can't be read as media.
    """
    if path is None:
        return LinkedBlobs(media)
    files = media_files(path)
    if path.is_dir():
        files = _shards_in(path)
        if not files:
            return open_folder(path, media, suffixes)
    suffix = files[0].suffix.lower()
    if suffix == ".zip" and len(files) == 1:
        return open_zip(path, media, suffixes)
    if suffix == ".tar":
        return open_tars(files, str(path), media, suffixes)
    if suffix == ".parquet":
        return TableBlobs(files, str(path), media, suffixes)
    raise InputError(f"{path}: can't be read as media; give a folder, a zip, tars or Parquet files")


def _shards_in(folder: Path) -> list[Path]:
    """The tars of a folder, or its Parquet files with bytes, there or in its folder ``data``; none in one of files."""
    for place in (folder, folder / "data"):
        if place.is_dir():
            files = sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
            if tars := [file for file in files if file.suffix.lower() == ".tar"]:
                return tars
            tables = [file for file in files if file.suffix.lower() == ".parquet"]
            if tables and _holds_bytes(tables[0]):
                return tables
    return []


def _refuse_other_kind(blobs: Blobs, media: MediaList, view: View) -> None:
    """Refuse images where clips are wanted, and the other way round, as far as names tell."""
    other, remedy = (
        (VIDEO_SUFFIXES, "is a video; give --frames the number of frames to take of it")
        if view.frames is None
        else (IMAGE_SUFFIXES, "is an image, but --frames and video models take videos")
    )
    for row in range(len(media)):
        if blobs.name(row).lower().endswith(other):
            raise InputError(f"{blobs.where(row)}: {media.ids[row]} {remedy}")
