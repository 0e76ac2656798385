"""A video file, open: its frames with their times, where it ends, and how it is to be held.

Time 0 is where players start: the container's first timestamp. In a chunk, time is that of the whole video.
"""

import heapq
import io
import itertools
import math
import os
from collections import deque
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
_REORDERED = 16  # so many frames may be decoded between one and the one shown next
_SHORT_S = 1.0  # frames that end so much before the file says are the rounding of its muxer
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
        self._shown_until_s: float | None = None
        self._is_used = False
        self._container, self._stream = self._opened()
        self._is_avi = self._container.format.name == "avi"
        first_s, self._delay_s = self._first_s()
        self._origin_s = _origin(first_s, begins_s)

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

        stream = self._unread()
        if seek_s is not None:
            assert stream.time_base is not None  # a demuxer sets it
            try:
                offset = int((seek_s - self.begins_s + self._origin_s) / stream.time_base)
                self._container.seek(offset, stream=stream, backward=True)
            except av.FFmpegError:  # this container can't seek
                return
        for number, (time_s, frame) in enumerate(self._timed(self._container.decode(stream))):
            if time_s is not None:
                time_s += self.begins_s - self._origin_s - self._delay_s
                shown_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
                self._shown_until_s = time_s + max(shown_s, 1 / _rate(stream))
            elif seek_s is None:
                time_s = self.begins_s + number / _rate(stream)
            yield time_s, frame

    def require_shown(self, until_s: float) -> None:
        """Check that the frames decoded, to the last, reach as far as the file says.

        Raises:
            ValueError: They end well before ``until_s`` and the file's end.
        """
        shown_s = self._shown_until_s
        if shown_s is not None and min(until_s, self.end_s) > shown_s + _SHORT_S:
            raise ValueError(f"it is cut short: its frames end at {shown_s:g} s, not at {self.end_s:g} s as it says")

    def _timed(self, frames: Iterator["VideoFrame"]) -> Iterator[tuple[float | None, "VideoFrame"]]:
        """Frames with their timestamps, which in AVI are those of another frame near by where frames were reordered."""
        if not self._is_avi:
            yield from ((frame.time if frame.pts is not None else None, frame) for frame in frames)
            return
        waiting: deque[VideoFrame] = deque()
        times: list[float] = []
        for frame in frames:
            waiting.append(frame)
            if frame.pts is not None:
                heapq.heappush(times, float(frame.time or 0))
            if len(waiting) > _REORDERED:
                yield heapq.heappop(times) if times else None, waiting.popleft()
        for frame in waiting:
            yield heapq.heappop(times) if times else None, frame

    def _unread(self) -> "VideoStream":
        """The stream, to be read from the file's beginning."""
        if self._is_used:
            self._container.close()
            self._container, self._stream = self._opened()
        self._is_used = True
        return self._stream

    def _first_s(self) -> tuple[float, float]:
        """The first timestamp of the file, and by how much those of its frames are too late.

        A chunk whose first frame is decoded at 0 but shown later is one whose muxer moved all timestamps by that much,
        since it had no edit list to write; in other chunks timestamps stay what they are, and 0 is the cut.
        """
        start_s = (self._container.start_time or 0) / 1e6
        if not self._is_avi and not (self._is_chunk and 0 < start_s < _LATE_S):
            return start_s, 0.0
        stream = self._unread()
        packets = [packet for packet in itertools.islice(self._container.demux(stream), 2) if packet.size]
        if not self._is_avi:
            return 0.0, start_s if packets and packets[0].dts == 0 else 0.0
        # AVI has no times of showing: FFmpeg makes them up from those of decoding, of which the first is always 0.
        times = [(packet.pts, packet.dts) for packet in packets if packet.pts is not None and packet.dts is not None]
        if not times or stream.time_base is None:
            return start_s, 0.0
        delay = times[-1][0] - times[-1][1]
        return float((times[0][0] - delay) * stream.time_base), float(delay * stream.time_base)

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
        is_matroska = container.format.name.startswith("matroska")
        # Durations count from timestamp 0 in these two, or in files of some muxers from the first: packets tell.
        is_late = self._origin_s > _LATE_S and (self._is_avi or is_matroska)
        if stream.duration and stream.time_base is not None and not is_late:
            length_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - self._origin_s
            return length_s if self._is_avi else length_s - self._delay_s
        if container.duration and not is_late:
            length_s = _tagged_s(stream) or container.duration / 1e6
            return length_s - self._origin_s if is_matroska else length_s
        return self._scanned_length_s()

    def _scanned_length_s(self) -> float:
        """The length by the times of all packets."""
        stream = self._unread()
        ends, packets = [], 0
        for packet in self._container.demux(stream):
            packets += packet.size > 0
            if packet.pts is not None and packet.time_base is not None:
                length_s = float(packet.duration * packet.time_base) if packet.duration else 1 / _rate(stream)
                ends.append(float(packet.pts * packet.time_base) + length_s - self._origin_s - self._delay_s)
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


def _origin(first_s: float, chunk_begins_s: float | None) -> float:
    """The timestamp that stands for time 0, in a chunk for its beginning.

    A chunk's timestamps count from 0, or from the whole video's start where the cutter left them as they were. Its
    first frame may begin before that, at a keyframe, or a little later; if later than that, time counts from it.
    """
    if chunk_begins_s is None:
        return first_s
    nearest_s = min((0.0, chunk_begins_s), key=lambda origin_s: abs(origin_s - first_s))
    return nearest_s if nearest_s or first_s < _LATE_S else first_s


def _tagged_s(stream: "VideoStream") -> float:
    """Where the stream ends by the tag that FFmpeg writes to Matroska, whose own duration is the longest stream's."""
    try:
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except (KeyError, ValueError):
        return 0.0


def _rate(stream: "VideoStream") -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0 < rate <= _FASTEST_FPS else 25.0
