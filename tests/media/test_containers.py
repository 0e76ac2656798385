"""Frames from every container: with timestamps that start late, cut short, damaged, and in chunks."""

import functools
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipelines.media import DamagedMediumError, MediaList, View, open_media
from pipelines.media.blobs import Chunk
from pipelines.media.video import read_frames

av = pytest.importorskip("av")
RATE, FRAMES, CHUNK = 10, 90, 30
MOVED = {"fragmented": {"movflags": "frag_keyframe+empty_moov"}, "no edit list": {"use_editlist": "0"}}


def write(path: Path, numbers: range, *, first: int = 0, reorder: bool = False, options=None, sound_s=0) -> Path:
    """Frames that each show their number in black and white columns; the first of them has the time of ``first``."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        sound = container.add_stream("aac", rate=8000) if sound_s else None
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        stream.options = {"g": "5", "crf": "10", "bf": "2" if reorder else "0"}
        for time, number in enumerate(numbers, first):
            bits = [255 * (number >> bit & 1) for bit in range(10)]
            pixels = np.broadcast_to(np.repeat(np.array(bits, np.uint8), 8)[None, :, None], (48, 80, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * sound_s), np.float32), format="fltp", layout="mono")
            frame.rate = 8000
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def shown(video, start: float, end: float, count: int) -> list[int]:
    found = read_frames(video, start, end, count, None)
    return [sum(1 << bit for bit in range(10) if np.asarray(image)[24, 8 * bit + 4].mean() > 128) for image in found]


def chunks(folder: Path, suffix: str, *, keep_times: bool, **how) -> tuple[Chunk, ...]:
    found = []
    for begin, end in pairwise(range(0, FRAMES + 1, CHUNK)):
        path = folder / f"{begin // RATE}.{suffix}"
        write(path, range(begin, end), first=begin if keep_times else 0, **how)
        found.append(Chunk(begin / RATE, path.name, lambda path=path: path))
    return tuple(found)


@pytest.mark.parametrize("reorder", [False, True], ids=["", "reordered frames"])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts"])
def test_a_video_whose_timestamps_start_late(tmp_path, suffix, reorder) -> None:
    path = write(tmp_path / f"late.{suffix}", range(50), first=200, reorder=reorder)
    assert shown(path, math.nan, math.nan, 5) == [5, 15, 25, 35, 45]
    assert shown(path, 2.0, 3.0, 5) == [21, 23, 25, 27, 29]
    with pytest.raises(ValueError, match=r"^the clip begins at 12 s, the video ends at 5 s$"):
        shown(path, 12.0, 14.0, 2)


@pytest.mark.parametrize("keep_times", [False, True], ids=["from 0", "times of the video"])
@pytest.mark.parametrize("reorder", [False, True], ids=["", "reordered frames"])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "flv"])
def test_chunks_of_every_container_give_the_videos_frames(tmp_path, suffix, reorder, keep_times) -> None:
    if (suffix, reorder, keep_times) == ("avi", True, True):
        pytest.skip("AVI has no times of showing: such chunks are a few frames off, as the documentation says")
    require_video(chunks(tmp_path, suffix, keep_times=keep_times, reorder=reorder))


@pytest.mark.parametrize("kind", MOVED)
def test_chunks_whose_muxer_moved_all_times(tmp_path, kind) -> None:
    found = chunks(tmp_path, "mp4", keep_times=False, reorder=True, options=MOVED[kind])
    with av.open(str(found[0].read())) as container:
        assert container.start_time > 0
    require_video(found)


def require_video(video) -> None:
    """Check that the frames are those of the uncut video, whose numbers are their times."""
    random = np.random.default_rng(0)
    for start, end in np.sort(random.uniform(0, FRAMES / RATE, (20, 2))).tolist():
        centres = start + (end - start) * (np.arange(6) + 0.5) / 6
        assert shown(video, start, end, 6) == np.floor(centres * RATE + 1e-5).astype(int).tolist(), (start, end)


@pytest.mark.parametrize("suffix", ["mkv", "flv", "avi"])
def test_a_video_that_is_cut_short(tmp_path, suffix) -> None:
    whole = write(tmp_path / f"whole.{suffix}", range(200)).read_bytes()
    (path := tmp_path / f"a.{suffix}").write_bytes(whole[: len(whole) // 2])
    assert shown(path, 1.0, 2.0, 2) == [12, 17]
    source = open_media(tmp_path, MediaList(["a"], None, None, np.array([14.0]), np.array([18.0])), view=View(32, 2))
    with pytest.raises(DamagedMediumError, match=r"clip a can't be decoded \(.+\)$"):
        source.load(0)
    if suffix == "mkv":
        with pytest.raises(ValueError, match=r"^it is cut short: its frames end at .* s, not at 20 s as it says$"):
            shown(path, 5.0, 18.0, 4)


def test_sound_that_goes_on_after_the_last_frame_is_no_damage(tmp_path) -> None:
    path = write(tmp_path / "a.mkv", range(20), sound_s=6)
    with av.open(str(path)) as container:
        assert container.duration > 5_000_000
    assert shown(path, math.nan, math.nan, 2) == [5, 15]


def test_a_chunk_that_is_cut_short_or_damaged_is_named(tmp_path) -> None:
    found = chunks(tmp_path, "mkv", keep_times=False)
    path = tmp_path / "3.mkv"
    data = path.read_bytes()
    damage = {
        r"^3\.mkv: it is cut short: its frames end at .* s, not at 6 s as it says$": data[: len(data) // 2],
        r"^3\.mkv: Invalid data found when processing input$": bytes(len(data)),
        r"^3\.mkv: .+": data[:700],
    }
    for reason, content in damage.items():
        path.write_bytes(content)
        assert shown(found, 0.0, 2.0, 2) == [5, 15]
        for video in (found, tuple(Chunk(each.begins_s, each.name, functools.partial(read, each)) for each in found)):
            with pytest.raises(ValueError, match=reason):
                shown(video, 2.0, 8.0, 6)


def read(chunk: Chunk) -> bytes:
    return chunk.read().read_bytes()
