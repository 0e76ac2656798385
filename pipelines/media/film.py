"""A video file, open: its frames with their times, where it ends, and how it is to be held.

Time 0 is where players start: the container's first timestamp. In a chunk, time is that of the whole video.
"""

import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PIL import Image

from pipelines.media.blobs import Content

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
_FASTEST_FPS = 1000.0  # a frame rate above it is a timescale
_FACTORS = (8, 4, 2)
_LATE_S = 1.0  # a chunk whose timestamps count from 0 has a frame before
# Where a chunk was copied from a keyframe on, its edit list hides what is before its beginning. FFmpeg would move the
# first frame after it there, by up to a frame's time. Other formats than MP4 ignore this.
_EXACT_TIMES = {"advanced_editlist": "0"}


class Film:
    """A video file, open; a context manager.

    Decoding takes one thread: what decodes several clips at once are the worker processes.

    Args:
        video: The file, or its content.
        begins_s: Where in the whole video this chunk begins; None for a whole video.

    Raises:
        ValueError: It is an image, or has no picture.
        av.FFmpegError: It can't be opened.
    """

    def __init__(self, video: Content, begins_s: float | None = None) -> None:
        self._video, self._is_chunk = video, begins_s is not None
        self.begins_s = begins_s or 0.0
        self._end_s: float | None = None
        self._is_used = False
        self._container, self._stream = self._opened()
        self._origin_s = _origin(self._container, begins_s)

    def __enter__(self) -> "Film":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def end_s(self) -> float:
        """Where the last frame ends: as the file says, or where it doesn't, from all its packets."""
        if self._end_s is None:
            self._end_s = self.begins_s + self._length_s()
        return self._end_s

    def frames(self, seek_s: float | None) -> Iterator[tuple[float | None, "VideoFrame"]]:
        """Frames with their times, from the keyframe before ``seek_s`` or from the start.

        A frame without a timestamp has none after a seek; from the start, frames are counted.
        """
        import av

        if self._is_used:
            self._container.close()
            self._container, self._stream = self._opened()
        self._is_used = True
        stream = self._stream
        if seek_s is not None:
            assert stream.time_base is not None  # a demuxer sets it
            try:
                offset = int((seek_s - self.begins_s + self._origin_s) / stream.time_base)
                self._container.seek(offset, stream=stream, backward=True)
            except av.FFmpegError:  # this container can't seek
                return
        for number, frame in enumerate(self._container.decode(stream)):
            if frame.pts is not None:
                yield frame.time - self._origin_s + self.begins_s, frame
            else:
                yield (None if seek_s is not None else self.begins_s + number / _rate(stream)), frame

    def _opened(self) -> tuple["InputContainer", "VideoStream"]:
        import av
        from av.video.stream import VideoStream

        source = os.fspath(self._video) if isinstance(self._video, Path) else io.BytesIO(self._video)
        container = av.open(source, mode="r", options=_EXACT_TIMES if self._is_chunk else {})
        name = container.format.name
        if "image2" in name or name.endswith("_pipe"):
            raise ValueError("it is an image, not a video")
        stream = container.streams.best("video")  # not a cover picture
        if not isinstance(stream, VideoStream):
            raise ValueError("it has no video stream")
        stream.codec_context.thread_count = 1
        return container, stream

    def _length_s(self) -> float:
        container, stream = self._container, self._stream
        if stream.duration and stream.time_base is not None:
            return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - self._origin_s
        if container.duration:
            return container.duration / 1e6
        ends, packets = [], 0
        self._is_used = True
        for packet in container.demux(stream):
            packets += packet.size > 0
            if packet.pts is not None and packet.time_base is not None:
                length_s = float(packet.duration * packet.time_base) if packet.duration else 1 / _rate(stream)
                ends.append(float(packet.pts * packet.time_base) + length_s - self._origin_s)
        return max(ends) if ends else packets / _rate(stream)


def picture(frame: "VideoFrame", least_side: int | None) -> Image.Image:
    """A frame as an upright RGB picture.

    A frame whose shorter side is at least twice ``least_side`` is scaled to 1/2, 1/4 or 1/8 of its size before its
    colours are converted, as `decode_image` does with JPEG: several times faster.

    Args:
        frame: The frame.
        least_side: Pixels that the shorter side has to keep; None for all.
    """
    least = min(frame.width, frame.height) if least_side is None else least_side
    factor = next((each for each in _FACTORS if min(frame.width, frame.height) >= each * least), 1)
    size = math.ceil(frame.width / factor), math.ceil(frame.height / factor)
    # One thread: swscale would start one a core for each frame, which takes longer than the frame.
    rgb = frame.reformat(*size, format="rgb24", interpolation="BILINEAR" if factor == 1 else "AREA", threads=1)
    image = Image.fromarray(rgb.to_ndarray())
    turn = _TURNS.get(round(frame.rotation / 90) * 90 % 360)
    return image if turn is None else image.transpose(turn)


def _origin(container: "InputContainer", chunk_begins_s: float | None) -> float:
    """The timestamp that stands for time 0, in a chunk for its beginning.

    A chunk's timestamps count from 0, or from the whole video's start where the cutter left them as they were. Its
    first frame may begin before that, at a keyframe, or a little later; if later than that, time counts from it.
    """
    first_s = (container.start_time or 0) / 1e6
    if chunk_begins_s is None:
        return first_s
    nearest_s = min((0.0, chunk_begins_s), key=lambda origin_s: abs(origin_s - first_s))
    return nearest_s if nearest_s or first_s < _LATE_S else first_s


def _rate(stream: "VideoStream") -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0 < rate <= _FASTEST_FPS else 25.0
