"""Videos as they come: sizes, depths, streams and times that a cutter, a phone or a muxer leaves behind."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.media import DamagedMediumError, MediaList, View, open_media
from pipelines.media.film import picture
from pipelines.media.video import read_frames

av = pytest.importorskip("av")
SHADES = [20 * number for number in range(12)]


def write_film(path: Path, *, size=(64, 48), codec="libx264", pix_fmt="yuv420p", times=None, audio=False, still=False):
    """Twelve grey frames, 10 a second, each of its own shade."""
    times = list(range(len(SHADES))) if times is None else times
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000) if audio else None
        if still:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 32, 32, "yuvj420p"
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base, stream.codec_context.gop_size = Fraction(1, 10), 5
        if still:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 255, np.uint8), format="rgb24")
            container.mux(art.encode(frame.reformat(format="yuvj420p")))
        for shade, time in zip(SHADES, times, strict=False):
            pixels = np.full((size[1], size[0], 3), shade, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8192), np.float32), format="fltp", layout="mono")
            frame.rate = 8000
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def shades(path: Path, start: float, end: float, count: int) -> list[int]:
    """Which of the frames were found, by their shade."""
    found = read_frames(path, start, end, count, None)
    return [int(np.abs(np.asarray(image).mean() - SHADES).argmin()) for image in found]


FORMS = {
    "10 bits": {"pix_fmt": "yuv420p10le"},
    "4:4:4": {"pix_fmt": "yuv444p"},
    "odd size": {"codec": "mpeg4", "size": (321, 177)},
    "tiny": {"codec": "mpeg4", "size": (2, 2)},
    "audio first": {"audio": True},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_of_any_form(tmp_path, form, suffix) -> None:
    path = write_film(tmp_path / f"a{suffix}", **FORMS[form])
    assert shades(path, 0.0, 1.2, 6) == [1, 3, 5, 7, 9, 11]  # where frames begin, to the rounding of floats
    assert shades(path, 0.75, 0.95, 2) == [8, 9]
    width, height = FORMS[form].get("size", (64, 48))
    assert read_frames(path, 0.5, 0.5, 1, None)[0].size == (width, height)
    source = open_media(tmp_path, MediaList([path.name]), view=View(32, 3))
    assert source.load(0).shape == (3, 3, 32, 32)


def test_a_still_picture_beside_the_video_is_not_the_video(tmp_path) -> None:
    path = write_film(tmp_path / "a.mkv", still=True)
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["mjpeg", "h264"]
    assert shades(path, 0.0, 1.2, 3) == [2, 6, 10]


def test_a_first_frame_that_comes_late_is_time_zero(tmp_path) -> None:
    """Players start with the first frame, whenever the file says it is: an empty edit, a stream that was cut."""
    late = write_film(tmp_path / "late.mp4", times=range(30, 42))
    with av.open(str(late)) as container:
        assert container.start_time == 3_000_000
    assert shades(late, 0.0, 1.2, 6) == [1, 3, 5, 7, 9, 11]
    early = write_film(tmp_path / "early.mp4", times=range(-4, 8))  # an edit list hides the first four frames
    assert shades(early, 0.0, 0.8, 4) == [5, 7, 9, 11]
    negative = write_film(tmp_path / "early.mkv", times=range(-4, 8))
    assert shades(negative, 0.0, 1.2, 6) == [1, 3, 5, 7, 9, 11]


def test_packets_with_negative_decoding_times(tmp_path) -> None:
    path = write_film(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.dts is not None]
    assert min(packet.dts for packet in packets) < 0 <= min(packet.pts for packet in packets)
    assert any(packet.dts != packet.pts for packet in packets)  # frames that come before one they are made from
    assert shades(path, 0.0, 1.2, 12) == list(range(12))


def test_a_video_of_one_frame(tmp_path) -> None:
    for name, times in (("a.mp4", [0]), ("b.mkv", [0]), ("c.avi", [0])):
        path = write_film(tmp_path / name, times=times, codec="mpeg4" if name == "c.avi" else "libx264")
        assert shades(path, float("nan"), float("nan"), 3) == [0, 0, 0]
        assert shades(path, 0.0, 0.0, 1) == [0]


def test_a_clip_without_length_gives_one_frame(tmp_path) -> None:
    path = write_film(tmp_path / "a.mp4")
    assert shades(path, 0.55, 0.55, 3) == [5, 5, 5]


def test_damage_in_the_middle_is_told(tmp_path) -> None:
    path = write_film(tmp_path / "a.mp4", codec="mpeg4")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for packet in packets:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(bytes(data))
    source = open_media(tmp_path, MediaList(["a"]), view=View(32, 3))
    with pytest.raises(DamagedMediumError, match=r"clip a can't be decoded \(.+\)$"):
        source.load(0)


@pytest.mark.parametrize(
    ("size", "least_side", "expected"),
    [
        ((640, 360), 100, (320, 180)),
        ((640, 360), 90, (160, 90)),
        ((321, 181), 90, (161, 91)),
        ((640, 360), 200, (640, 360)),
    ],
)
def test_large_frames_are_scaled_before_their_colours_are_converted(size, least_side, expected) -> None:
    """What is cut from them, at most half as large, is within two levels in the mean of what whole frames give."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([128 + 100 * np.sin(x / 12), 128 + 100 * np.sin(y / 9), 128 + 100 * np.cos((x + y) / 40)], axis=2)
    frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24").reformat(format="yuv420p")
    found = picture(frame, least_side)
    assert found.size == expected
    whole = picture(frame, None)
    assert whole.size == size
    side = (least_side * width // height // 2, least_side // 2)
    error = np.asarray(found.resize(side)).astype(float) - np.asarray(whole.resize(side))
    assert np.abs(error).mean() < 2
