"""Frames of a video at given instants, exact by their timestamps, whether it is one file or cut into chunks.

The frame at an instant is the one on display: the last that begins at or before it; before the first frame the first,
after the last the last.
"""

import contextlib
import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.artifacts.chunks import missing_chunk
from pipelines.errors import InputError
from pipelines.media.blobs import Chunks, Content
from pipelines.media.chunked import ends_early, require_order
from pipelines.media.film import Film, picture

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# How far before an instant to seek until a frame at or before it comes out; None: read from the start.
_SEEK_BACK_S = (0.0, 2.0, 10.0, None)
_ROUNDING_S = 1e-6  # a frame that begins so much after an instant begins at it
_TimedFrames = Iterator[tuple[float | None, "VideoFrame"]]


def require_av() -> None:
    """Check that PyAV is there.

    Raises:
        InputError: It isn't.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise InputError("videos are read with PyAV, which isn't installed; pip install 'mmts[video]'") from error


def read_frames(
    video: Content | Chunks,
    start_s: float,
    end_s: float,
    count: int,
    random: np.random.Generator | None,
    least_side: int | None = None,
) -> list[Image.Image]:
    """Frames of a clip, upright, all of the size of the first.

    The clip is cut into ``count`` equal segments, one frame comes from each: at its centre, or at an instant drawn
    uniformly. An end past the video's is moved there; a clip without length gives one frame ``count`` times.

    Args:
        video: The video's file, or its content, or its chunks, of which only those that the clip touches are read.
        start_s: Where the clip begins in seconds; the video's start if NaN.
        end_s: Where it ends; the video's end if NaN.
        count: Number of frames.
        random: Draws the instants; None for the centres.
        least_side: Pixels that the shorter side has to keep, see `picture`; None for all.

    Raises:
        OSError, ValueError: The video can't be decoded, is an image, ends before the clip begins, or a chunk of it is
            missing; says why.
    """
    import av

    try:
        with _Footage(video) as footage:
            start_s = 0.0 if math.isnan(start_s) else start_s
            if math.isnan(end_s) or end_s > footage.last_begins_s:
                video_end_s = footage.end_s
                if start_s >= video_end_s:
                    footage.require_order()
                    raise ValueError(f"the clip begins at {start_s:g} s, the video ends at {video_end_s:g} s")
                end_s = video_end_s if math.isnan(end_s) else min(end_s, video_end_s)
            instants = instants_of(start_s, max(start_s, end_s), count, random)
            footage.require_chunks(instants)
            pictures = [picture(frame, least_side) for frame in _frames_at(footage, instants)]
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(str(error)) from error
    return [image if image.size == pictures[0].size else image.resize(pictures[0].size) for image in pictures]


def instants_of(start_s: float, end_s: float, count: int, random: np.random.Generator | None) -> NDArray[np.float64]:
    """An instant in each of ``count`` equal segments: its centre, or drawn uniformly."""
    place = np.full(count, 0.5) if random is None else random.random(count)
    return start_s + (end_s - start_s) * (np.arange(count) + place) / count


class _Footage:
    """A video in one file or in chunks, which are opened when they are needed."""

    def __init__(self, video: Content | Chunks) -> None:
        self._video = video
        self._begins_s = [chunk.begins_s for chunk in video] if isinstance(video, tuple) else [0.0]
        self._films: dict[int, Film] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "_Footage":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._open.close()

    @property
    def last_begins_s(self) -> float:
        """Where the last chunk begins."""
        return self._begins_s[-1]

    @property
    def end_s(self) -> float:
        """Where the video ends."""
        return self._film(len(self._begins_s) - 1).end_s

    def require_chunks(self, instants: NDArray[np.float64]) -> None:
        """Check that there is a chunk for each instant.

        Raises:
            ValueError: One is missing, or a chunk goes on for longer than their names say.
        """
        if not isinstance(self._video, tuple):
            return
        for instant_s in instants.tolist():
            number = self._chunk_at(instant_s)
            begins_s = self._begins_s[number]
            if instant_s < begins_s:
                raise ValueError(missing_chunk(0, begins_s))
            if number + 1 == len(self._begins_s):
                continue
            self.require_order(number)
            end_s = self._film(number).end_s
            if instant_s >= end_s and ends_early(self._video[number], end_s, self._video[number + 1]):
                raise ValueError(missing_chunk(end_s, self._begins_s[number + 1]))

    def require_order(self, number: int = -2) -> None:
        """Check that a chunk, else the last but one, ends about where the next begins, and not after it.

        Raises:
            ValueError: It goes on, as where chunks are numbered.
        """
        if isinstance(self._video, tuple) and len(self._video) > 1:
            end_s = self._film(number % len(self._video)).end_s
            require_order(self._video[number], end_s, self._video[number + 1])

    def frames(self, seek_s: float | None, until_s: float) -> _TimedFrames:
        """Frames with their times, from the keyframe before ``seek_s`` or from the start, through all chunks.

        Raises:
            ValueError: Those of a file end well before ``until_s`` and before it says.
        """
        first = 0 if seek_s is None else self._chunk_at(seek_s)
        overlap: list[tuple[float | None, VideoFrame]] = []
        for number in range(first, len(self._begins_s)):
            is_last = number + 1 == len(self._begins_s)
            after_s = math.inf if is_last else self._begins_s[number + 1]
            kept, overlap = overlap, []
            for time_s, frame in self._decoded(number, seek_s if number == first else None, min(until_s, after_s)):
                # A chunk may hold frames that the next one holds too, or that begin just before its first.
                yield from ((time, each) for time, each in kept if time_s is None or (time or 0.0) < time_s)
                kept = []
                if time_s is None or time_s < after_s:
                    yield time_s, frame
                else:
                    overlap.append((time_s, frame))
            overlap = kept + overlap
        yield from overlap

    def _decoded(self, number: int, seek_s: float | None, until_s: float) -> _TimedFrames:
        with self._naming(number):
            film, none = self._film(number), True
            for timed in film.frames(seek_s):
                none = False
                yield timed
            if none and seek_s is None:
                raise ValueError("no frame of it can be decoded")
            film.require_shown(until_s)

    @contextlib.contextmanager
    def _naming(self, number: int) -> Iterator[None]:
        """Say which chunk an error is about."""
        import av

        try:
            yield
        except (av.FFmpegError, EOFError, OSError, ValueError) as error:
            if not isinstance(self._video, tuple):
                raise
            name = self._video[number].name
            reason = error.strerror if isinstance(error, av.FFmpegError) else str(error)
            raise error if str(error).startswith(f"{name}: ") else ValueError(f"{name}: {reason}") from error

    def _chunk_at(self, instant_s: float) -> int:
        return max(0, bisect_right(self._begins_s, instant_s) - 1)

    def _film(self, number: int) -> Film:
        if number not in self._films:
            if isinstance(self._video, tuple):
                chunk = self._video[number]
                with self._naming(number):
                    film = Film(chunk.read(), chunk.begins_s)
            else:
                film = Film(self._video)
            self._films[number] = self._open.enter_context(film)
        return self._films[number]


def _frames_at(footage: _Footage, instants: NDArray[np.float64]) -> list["VideoFrame"]:
    for back_s in _SEEK_BACK_S:
        seek_s = None if back_s is None else float(instants[0]) - back_s
        if seek_s is not None and seek_s <= 0:
            seek_s = None
        found = _select(footage.frames(seek_s, float(instants[-1])), instants, complete=seek_s is None)
        if found:
            return found
    raise ValueError("no frame of it can be decoded")


def _select(frames: _TimedFrames, instants: NDArray[np.float64], *, complete: bool) -> list["VideoFrame"]:
    """The frame on display at each instant; none of them where a seek landed too late.

    Args:
        frames: Frames with their times, in order.
        instants: Times wanted, rising.
        complete: Whether the frames begin with the video's first, and not where a seek landed.
    """
    found: list[VideoFrame] = []
    shown: VideoFrame | None = None
    for time_s, frame in frames:
        if time_s is None or (shown is None and not complete and time_s > instants[0] + _ROUNDING_S):
            return []
        while len(found) < len(instants) and instants[len(found)] + _ROUNDING_S < time_s:
            found.append(shown or frame)
        if len(found) == len(instants):
            return found
        shown = frame
    return found + [shown] * (len(instants) - len(found)) if shown is not None else []
