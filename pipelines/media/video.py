"""Frames of a video at given instants, exact by their timestamps.

The frame at an instant is the one on display: the last that begins at or before it; before the first frame the first,
after the last the last. Time 0 is where players start: the container's first timestamp.
"""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# How far before an instant to seek until a frame at or before it comes out; None: read from the start.
_SEEK_BACK_S = (0.0, 2.0, 10.0, None)
_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
_FASTEST_FPS = 1000.0  # a frame rate above it is a timescale


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
    video: bytes | Path, start_s: float, end_s: float, count: int, random: np.random.Generator | None
) -> list[Image.Image]:
    """Frames of a clip, upright, all of the size of the first.

    The clip is cut into ``count`` equal segments, one frame comes from each: at its centre, or at an instant drawn
    uniformly. An end past the video's is moved there; a clip without length gives one frame ``count`` times.

    Args:
        video: The video's file, or its content.
        start_s: Where the clip begins in seconds; the video's start if NaN.
        end_s: Where it ends; the video's end if NaN.
        count: Number of frames.
        random: Draws the instants; None for the centres.

    Raises:
        ValueError: The video can't be decoded, is an image, or ends before the clip begins; says why.
    """
    import av

    try:
        video_end_s = _end_of(video)
        start_s = 0.0 if math.isnan(start_s) else start_s
        end_s = video_end_s if math.isnan(end_s) else end_s
        if start_s >= video_end_s:
            raise ValueError(f"the clip begins at {start_s:g} s, the video ends at {video_end_s:g} s")
        instants = instants_of(start_s, max(start_s, min(end_s, video_end_s)), count, random)
        return _frames_at(video, instants)
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(str(error)) from error


def instants_of(start_s: float, end_s: float, count: int, random: np.random.Generator | None) -> NDArray[np.float64]:
    """An instant in each of ``count`` equal segments: its centre, or drawn uniformly."""
    place = np.full(count, 0.5) if random is None else random.random(count)
    return start_s + (end_s - start_s) * (np.arange(count) + place) / count


def _frames_at(video: bytes | Path, instants: NDArray[np.float64]) -> list[Image.Image]:
    for back_s in _SEEK_BACK_S:
        seek_s = None if back_s is None else float(instants[0]) - back_s
        if seek_s is not None and seek_s <= 0:
            seek_s = None
        found = _select(_timed_frames(video, seek_s), instants, complete=seek_s is None)
        if found:
            upright = [_upright(frame) for frame in found]
            return [image if image.size == upright[0].size else image.resize(upright[0].size) for image in upright]
    raise ValueError("no frame of it can be decoded")


def _select(
    frames: Iterator[tuple[float | None, "VideoFrame"]], instants: NDArray[np.float64], *, complete: bool
) -> list["VideoFrame"]:
    """The frame on display at each instant; none of them where a seek landed too late.

    Args:
        frames: Frames with their times, in order.
        instants: Times wanted, rising.
        complete: Whether the frames begin with the video's first, and not where a seek landed.
    """
    found: list[VideoFrame] = []
    shown: VideoFrame | None = None
    for time_s, frame in frames:
        if time_s is None or (shown is None and not complete and time_s > instants[0]):
            return []
        while len(found) < len(instants) and instants[len(found)] < time_s:
            found.append(shown or frame)
        if len(found) == len(instants):
            return found
        shown = frame
    return found + [shown] * (len(instants) - len(found)) if shown is not None else []


def _timed_frames(video: bytes | Path, seek_s: float | None) -> Iterator[tuple[float | None, "VideoFrame"]]:
    """Frames with their times, from the keyframe before ``seek_s`` or from the start.

    A frame without a timestamp has none after a seek; from the start, frames are counted.
    """
    import av

    with _opened(video) as container:
        stream = container.streams.video[0]
        origin_s = _origin(container)
        if seek_s is not None:
            assert stream.time_base is not None  # a demuxer sets it
            try:
                container.seek(int((seek_s + origin_s) / stream.time_base), stream=stream, backward=True)
            except av.FFmpegError:  # this container can't seek
                return
        for number, frame in enumerate(container.decode(stream)):
            if frame.pts is not None and frame.time_base is not None:
                yield float(frame.pts * frame.time_base) - origin_s, frame
            else:
                yield (None if seek_s is not None else number / _rate(stream)), frame


def _end_of(video: bytes | Path) -> float:
    """Where the last frame ends, from time 0: as the file says, or where it doesn't, from all its packets.

    Raises:
        ValueError: It is an image, or has no picture.
    """
    with _opened(video) as container:
        if "image2" in container.format.name or container.format.name.endswith("_pipe"):
            raise ValueError("it is an image, not a video")
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        origin_s = _origin(container)
        if stream.duration is not None and stream.time_base is not None:
            return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - origin_s
        if container.duration is not None:
            return container.duration / 1e6
        ends, packets = [], 0
        for packet in container.demux(stream):
            packets += packet.size > 0
            if packet.pts is not None and packet.time_base is not None:
                length_s = float(packet.duration * packet.time_base) if packet.duration else 1 / _rate(stream)
                ends.append(float(packet.pts * packet.time_base) + length_s - origin_s)
        return max(ends) if ends else packets / _rate(stream)


def _opened(video: bytes | Path) -> "InputContainer":
    import av

    return av.open(str(video) if isinstance(video, Path) else io.BytesIO(video), mode="r")


def _origin(container: "InputContainer") -> float:
    return (container.start_time or 0) / 1e6


def _rate(stream: "VideoStream") -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0 < rate <= _FASTEST_FPS else 25.0


def _upright(frame: "VideoFrame") -> Image.Image:
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    turn = _TURNS.get(round(frame.rotation / 90) * 90 % 360)
    return image if turn is None else image.transpose(turn)
