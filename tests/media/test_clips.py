"""Clips: the frames an explicit loop over all of the video finds, whatever the container and the times."""

import math
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.augmentation import RANGES
from pipelines.errors import InputError
from pipelines.media import DamagedMediumError, MediaList, View, open_media, video
from pipelines.media.film import Film, picture
from pipelines.media.video import instants_of, read_frames

av = pytest.importorskip("av")
NAN = math.nan
UNEVEN_MS = np.cumsum([0, *np.random.default_rng(0).integers(5, 200, 49).tolist()]).tolist()
# Name, and how the film is written: B-frames and long groups, no B-frames, packets without times, late first time.
FILMS = {
    "x264.mp4": {},
    "x264.mkv": {"gop": 250},
    "mpeg4.avi": {"codec": "mpeg4", "gop": 5},
    "vp8.webm": {"codec": "libvpx"},
    "late.ts": {"form": "mpegts"},
    "raw.h264": {"form": "h264"},
    "uneven.mp4": {"times_ms": UNEVEN_MS},
    "uneven.mkv": {"times_ms": UNEVEN_MS, "gop": 250},
}


def decode_all(path: Path) -> list[tuple[float, np.ndarray]]:
    """Every frame with its time from the first on; where there are no times, 25 a second."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [float(number / 25 if frame.pts is None else frame.time) for number, frame in enumerate(frames)]
    return [(time - times[0], frame.to_ndarray(format="rgb24")) for time, frame in zip(times, frames, strict=True)]


def on_display(frames, instant: float) -> np.ndarray:
    shown = frames[0][1]
    for time, pixels in frames:
        if time <= instant:
            shown = pixels
    return shown


def segment_centres(start: float, end: float, count: int) -> list[float]:
    return [start + (end - start) * (number + 0.5) / count for number in range(count)]


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("name", FILMS)
def test_frames_are_those_on_display_at_the_centres(tmp_path, film, name, in_memory) -> None:
    path = film(tmp_path / name, **FILMS[name])
    frames = decode_all(path)
    assert len(frames) == 50
    end_s = frames[-1][0] + 0.04
    random = np.random.default_rng(1)
    clips = [(0.0, end_s - 0.04, 5), (1.0, 1.0, 2), (1.21, 1.25, 3), (end_s - 0.05, end_s - 0.04, 2)]
    clips += [(*sorted(random.uniform(0, end_s - 0.04, 2)), int(random.integers(1, 7))) for _ in range(12)]
    for start, end, count in clips:
        found = read_frames(path.read_bytes() if in_memory else path, start, end, count, None)
        expected = [on_display(frames, instant) for instant in segment_centres(start, end, count)]
        assert all(np.array_equal(np.asarray(a), b) for a, b in zip(found, expected, strict=True)), (start, end, count)


def test_decoding_begins_at_the_keyframe_before_a_clip(tmp_path, film, monkeypatch) -> None:
    path = film(tmp_path / "a.mp4", frames=200, gop=10)
    decoded, frames = [], Film.frames

    def counted(*arguments):
        for time_s, frame in frames(*arguments):
            decoded.append(time_s)
            yield time_s, frame

    monkeypatch.setattr(Film, "frames", counted)
    read_frames(path, 6.0, 6.2, 1, None)
    assert 5.6 < decoded[0] <= 6.1 < decoded[-1] < 6.2


def test_decoding_takes_one_thread(tmp_path, film, monkeypatch) -> None:
    """What decodes several clips at once are the worker processes; threads of each would get in each other's way."""
    path = film(tmp_path / "a.mp4")
    before, during = len(list(Path("/proc/self/task").iterdir())), []

    def counted(frame, least_side):
        made = picture(frame, least_side)
        during.append(len(list(Path("/proc/self/task").iterdir())))
        return made

    monkeypatch.setattr(video, "picture", counted)
    read_frames(path, 0.0, 2.0, 4, None)
    assert during == [before] * 4


def test_training_draws_one_instant_of_each_segment(tmp_path, film) -> None:
    frames = decode_all(path := film(tmp_path / "a.mp4"))
    instants = np.stack([instants_of(0.4, 1.6, 3, np.random.default_rng(seed)) for seed in range(300)])
    for segment in range(3):
        low, high = 0.4 + 0.4 * segment, 0.8 + 0.4 * segment
        drawn = instants[:, segment]
        assert low <= drawn.min() < low + 0.02
        assert high - 0.02 < drawn.max() < high
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.03)
    found = read_frames(path, 0.4, 1.6, 3, np.random.default_rng(7))
    assert [np.array_equal(a, on_display(frames, t)) for a, t in zip(found, instants[7], strict=True)] == [True] * 3


def test_times_that_are_missing_or_past_the_end(tmp_path, film) -> None:
    frames = decode_all(path := film(tmp_path / "a.mp4"))  # 2 s
    for start, end, meant in ((NAN, NAN, (0, 2)), (1.0, NAN, (1, 2)), (NAN, 1.0, (0, 1)), (1.5, 99, (1.5, 2))):
        found = read_frames(path, start, end, 4, None)
        expected = [on_display(frames, instant) for instant in segment_centres(*meant, 4)]
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)), (start, end)
    with pytest.raises(ValueError, match="the clip begins at 2 s, the video ends at 2 s"):
        read_frames(path, 2.0, 3.0, 4, None)


def test_a_video_whose_file_says_no_length_is_measured(tmp_path, film) -> None:
    path = film(tmp_path / "raw.h264", form="h264")
    with av.open(str(path)) as container:
        assert (container.duration, container.streams.video[0].duration) == (None, None)
    frames = decode_all(path)
    found = read_frames(path, NAN, NAN, 2, None)
    assert all(np.array_equal(a, on_display(frames, t)) for a, t in zip(found, (0.5, 1.5), strict=True))
    with pytest.raises(ValueError, match="the clip begins at 5 s, the video ends at 2 s"):
        read_frames(path, 5.0, 6.0, 2, None)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_rotation_in_the_metadata_is_applied(tmp_path, film, degrees, turns) -> None:
    path = film(tmp_path / "a.mp4")
    lying = np.asarray(read_frames(path, 0.0, 1.0, 1, None)[0])
    cosine, sine = round(math.cos(math.radians(degrees))), round(math.sin(math.radians(degrees)))
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # of the track header: degrees clockwise to turn it on display
    data[matrix : matrix + 20] = struct.pack(">5i", cosine << 16, sine << 16, 0, -sine << 16, cosine << 16)
    path.write_bytes(bytes(data))
    upright = np.asarray(read_frames(path, 0.0, 1.0, 1, None)[0])
    assert np.array_equal(upright, np.rot90(lying, turns))


def test_a_clip_is_augmented_alike_in_all_frames(tmp_path, film) -> None:
    path = film(tmp_path / "still.mp4", times_ms=[0], gop=1)
    source = open_media(tmp_path, MediaList([path.name]), view=View(16, 6, RANGES["strong"]))
    clips = [source.load(0, np.random.default_rng(seed)) for seed in range(8)]
    for clip in clips:
        assert clip.shape == (6, 3, 16, 16)
        assert (clip == clip[0]).all()
    assert any((clip != clips[0]).any() for clip in clips)
    assert (source.load(0, np.random.default_rng(3)) == clips[3]).all()


@pytest.fixture
def films(tmp_path, film):
    film(tmp_path / "films" / "P01" / "v1.MP4")
    film(tmp_path / "films" / "v2.mkv", codec="mpeg4")
    return tmp_path / "films"


def test_clips_are_found_by_id_by_video_and_by_path(films) -> None:
    media = MediaList(
        ["v2", "c1", "c2", "v2.mkv"],
        [None, None, "P01/v1.MP4", None],
        [None, "v1", None, None],
        np.array([NAN, 0.4, 1.2, 0.4]),
        np.array([NAN, 0.8, 2.0, 0.8]),
    )
    source = open_media(films, media, view=View(48, 2))
    found = source.batch(source_rows := np_rows(4))
    assert found.shape == (4, 2, 3, 48, 48)
    for row, (name, start, end) in enumerate(
        [("v2.mkv", 0, 2), ("P01/v1.MP4", 0.4, 0.8), ("P01/v1.MP4", 1.2, 2), ("v2.mkv", 0.4, 0.8)]
    ):
        frames = decode_all(films / name)
        for frame, instant in enumerate(segment_centres(start, end, 2)):
            expected = on_display(frames, instant)[:, 8:56].transpose(2, 0, 1)
            assert np.array_equal(found[row, frame], expected)
    assert (source.batch(source_rows) == found).all()
    with pytest.raises(InputError, match=r"films: 1 of 2 media are missing there, first: v3"):
        open_media(films, MediaList(["v3", "v2"]), view=View(48, 2))
    (films / "v1.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"two media have the name v1: P01/v1\.MP4 and v1\.mp4"):
        open_media(films, media, view=View(48, 2))


def np_rows(count):
    import torch

    return torch.arange(count)


def test_clips_lie_in_archives_and_where_annotations_say(films, tmp_path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(films / "v2.mkv", "v2.mkv")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(films / "v2.mkv", "in/v2.mkv")
    view = View(16, 3)
    expected = open_media(films, MediaList(["v2"]), view=view).load(0)
    places = [str(films / "v2.mkv"), f"zip://in/v2.mkv::{tmp_path / 'a.zip'}", f"tar://v2.mkv::{tmp_path / 'a.tar'}"]
    source = open_media(None, MediaList(list("abc"), places), view=view)
    assert all((source.load(row) == expected).all() for row in range(3))
    for path in (tmp_path / "a.tar", tmp_path / "a.zip"):
        assert (open_media(path, MediaList(["v2"]), view=view).load(0) == expected).all()


def test_damaged_videos_are_named(films, tmp_path) -> None:
    whole = (films / "v2.mkv").read_bytes()
    (films / "cut.mp4").write_bytes((films / "P01" / "v1.MP4").read_bytes()[:2000])
    (films / "empty.mp4").write_bytes(b"")
    (films / "text.mp4").write_bytes(b"no video " * 100)
    (films / "head.mkv").write_bytes(whole[:300])
    Image.new("RGB", (16, 16)).save(films / "still.png")
    (films / "still.png").rename(films / "still.mp4")
    with av.open(str(films / "sound.mp4"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    reasons = {
        "cut": ".+",
        "empty": ".+",
        "text": ".+",
        "head": ".+",
        "still": "it is an image, not a video",
        "sound": "it has no video stream",
        "v2": "the clip begins at 7 s, the video ends at 2 s",
    }
    starts = np.array([7.0 if name == "v2" else NAN for name in reasons])
    source = open_media(films, MediaList(list(reasons), start_s=starts), view=View(16, 2))
    for row, (name, reason) in enumerate(reasons.items()):
        with pytest.raises(DamagedMediumError, match=rf"films: clip {name} can't be decoded \({reason}\)$"):
            source.load(row)


def test_a_broken_end_leaves_what_was_decoded(films) -> None:
    """A download that stopped: the container promises 2 s, the last frame is shown on."""
    data = (films / "v2.mkv").read_bytes()
    (films / "v2.mkv").write_bytes(data[: 2 * len(data) // 3])
    frames = decode_all(films / "v2.mkv")
    assert 5 < len(frames) < 45
    found = read_frames(films / "v2.mkv", 0.0, 2.0, 4, None)
    expected = [on_display(frames, instant) for instant in segment_centres(0, 2, 4)]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_images_and_videos_are_not_taken_for_each_other(films) -> None:
    Image.new("RGB", (16, 16)).save(films / "a.png")
    with pytest.raises(InputError, match=r"films: a\.png is an image, but --frames and video models take videos"):
        open_media(films, MediaList(["a.png"]), view=View(16, 2))
    with pytest.raises(InputError, match=r"films: v2\.mkv is a video; give --frames the number of frames to take"):
        open_media(films, MediaList(["v2.mkv"]), view=View(16))


def test_without_pyav_the_extra_is_named(films, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"PyAV, which isn't installed; pip install 'mmts\[video\]'"):
        open_media(films, MediaList(["v2"]), view=View(16, 2))
