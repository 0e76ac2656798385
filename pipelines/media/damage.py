"""Which files of media are damaged, by a look at each, before training comes upon them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.chunks import missing_chunk
from pipelines.media.blobs import Blobs, Chunk, Chunks, Content
from pipelines.media.chunked import ends_early, require_order
from pipelines.media.film import Film

_OVERSHOOT_S = 1.0  # so much later than its video a clip may end, as annotated ends do
_LAST_S = 0.5  # so much of a video is decoded, and what leads up to it from the keyframe before


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, or with a video's folder of chunks.

    Attributes:
        file: The file, folder, or archive and member.
        reason: What is wrong.
        media_ids: The media that it concerns.
        cuts: Whether it takes only the end off these: they can be decoded, and what is there stands for the whole.
    """

    file: str
    reason: str
    media_ids: list[str]
    cuts: bool = False


def file_of(blobs: Blobs, row: int) -> str:
    """The file of a medium, with the archive that it is in."""
    where, name = blobs.where(row), blobs.name(row)
    return name if name.startswith(where) else f"{where}: {name}" if name else where


def video_faults(
    video: Content | Chunks, start_n: NDArray[np.float64], end_n: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.bool_], bool]]:
    """What is wrong with a video: each of its files that a clip touches is opened, and its last frames are decoded.

    Damage between is not found.

    Args:
        video: The video's file, or its content, or its chunks.
        start_n: Where each of its n clips begins in seconds; NaN for the video's start.
        end_n: Where each ends; NaN for the video's end.

    Yields:
        What is wrong, of each clip whether it is concerned ``[n]``, and whether it loses its end only, see `Fault`.
    """
    import av

    in_chunks = isinstance(video, tuple)
    parts = video if isinstance(video, tuple) else (Chunk(0.0, "", lambda: video),)
    start_n, end_n = np.nan_to_num(start_n, nan=0.0), np.nan_to_num(end_n, nan=np.inf)
    if (early_n := start_n < parts[0].begins_s).any():
        yield missing_chunk(0, parts[0].begins_s), early_n, False
    for part, after in zip(parts, (*parts[1:], None), strict=True):
        touching_n = (end_n >= part.begins_s) & (True if after is None else start_n < after.begins_s)
        if not touching_n.any():
            continue
        try:
            end_s = _checked_end_s(part.read(), part.begins_s if in_chunks else None)
        except (av.FFmpegError, EOFError, OSError, ValueError) as error:
            reason = str(error.strerror if isinstance(error, av.FFmpegError) else error)
            yield f"{part.name}: {reason}" if in_chunks else reason, touching_n, False
            continue
        if after is None:
            if (late_n := start_n >= end_s).any():
                yield f"it ends at {end_s:g} s, before clips begin", late_n, False
            if (cut_n := ~late_n & np.isfinite(end_n) & (end_n > end_s + _OVERSHOOT_S)).any():
                yield (
                    f"it ends at {end_s:g} s, before clips end, of which one goes on to {end_n[cut_n].max():g} s",
                    cut_n,
                    True,
                )
        elif ends_early(part, end_s, after):
            if (gap_n := touching_n & (end_n > end_s)).any():
                yield missing_chunk(end_s, after.begins_s), gap_n, False
        else:
            try:
                require_order(part, end_s, after)
            except ValueError as error:
                yield str(error), touching_n, False


def _checked_end_s(content: Content, begins_s: float | None) -> float:
    """Where a file ends, whose last frames can be decoded."""
    with Film(content, begins_s) as film:
        if not any([True for _ in film.frames(film.end_s - _LAST_S)]) and not any([True for _ in film.frames(None)]):
            raise ValueError("no frame of it can be decoded")
        film.require_shown(np.inf)
        return film.end_s
