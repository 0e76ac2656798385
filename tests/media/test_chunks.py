"""Videos in chunks: the same frames as from the uncut video, wherever the cuts fall and however they were made."""

import re
import shutil
import tarfile
import warnings
import zipfile
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.annotations import links
from pipelines.artifacts import read_annotations
from pipelines.errors import InputError
from pipelines.inspect.damage import find_damage
from pipelines.media import DamagedMediumError, MediaList, View, linked_parameters, media_list, open_media
from pipelines.media.blobs import Chunk
from pipelines.media.video import read_frames
from pipelines.progress import Silent
from pipelines.train.validation import require_whole

av = pytest.importorskip("av")
MILLISECOND = Fraction(1, 1000)
EVEN = list(range(0, 10_000, 200))
# No frame begins at a cut: what is on display at the start of a chunk is the last frame of the one before.
UNEVEN = np.cumsum([0, *np.random.default_rng(3).integers(5, 400, 49).tolist()]).tolist()


@pytest.fixture
def whole(tmp_path, film):
    """The uncut video, 50 frames of 10 s that all differ."""

    def write(times_ms=EVEN, gop=12) -> Path:
        return film(tmp_path / "whole.mp4", times_ms=times_ms, gop=gop)

    return write


def copy_packets(source: Path, folder: Path, begins: list[int]) -> None:
    """Chunks as ``ffmpeg -ss BEGIN -c copy`` cuts them: from the keyframe before, which an edit list then hides."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        seconds = [float(packet.pts * stream.time_base) for packet in packets]
        for begin, end in zip(begins, [*begins[1:], 1e9], strict=True):
            first = max(n for n, packet in enumerate(packets) if packet.is_keyframe and seconds[n] <= begin)
            last = max(n for n, second in enumerate(seconds) if second < end)
            write_packets(folder / f"{begin}.mp4", stream, packets[first : last + 1], int(begin / stream.time_base))


def segment(source: Path, folder: Path, begins: list[int]) -> None:
    """Chunks as ``ffmpeg -f segment -c copy`` cuts them: at the first keyframe after, with the times of the whole."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        keys = [(n, float(packet.pts * stream.time_base)) for n, packet in enumerate(packets) if packet.is_keyframe]
        firsts = [next((n for n, second in keys if second >= begin), len(packets)) for begin in begins]
        for begin, first, end in zip(begins, firsts, [*firsts[1:], len(packets)], strict=True):
            if first < end:
                write_packets(folder / f"{begin}.mp4", stream, packets[first:end], 0)


def write_packets(path: Path, stream, packets: list, offset: int) -> None:
    with av.open(str(path), "w") as chunk:
        out = chunk.add_stream_from_template(stream)
        for packet in packets:
            copied = av.Packet(bytes(packet))
            copied.pts, copied.dts, copied.duration = packet.pts - offset, packet.dts - offset, packet.duration
            copied.time_base, copied.is_keyframe, copied.stream = stream.time_base, packet.is_keyframe, out
            chunk.mux(copied)


def encode_again(source: Path, folder: Path, begins: list[int], *, gop: int = 5) -> None:
    """Chunks of the frames that begin in each, without loss, so that pixels can be compared."""
    with av.open(str(source)) as container:
        frames = [(frame.time, frame.to_ndarray(format="yuv420p")) for frame in container.decode(video=0)]
    for begin, end in zip(begins, [*begins[1:], 1e9], strict=True):
        with av.open(str(folder / f"{begin}.mp4"), "w") as chunk:
            out = chunk.add_stream("libx264", rate=25, options={"qp": "0"})
            out.width, out.height, out.pix_fmt = 64, 48, "yuv420p"
            out.codec_context.time_base, out.codec_context.gop_size = MILLISECOND, gop
            for time, pixels in frames:
                if begin <= time < end:
                    frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
                    frame.pts, frame.time_base = round((time - begin) * 1000), MILLISECOND
                    chunk.mux(out.encode(frame))
            chunk.mux(out.encode())


CUTTERS = {
    "copied": copy_packets,
    "segmented": segment,
    "encoded again": encode_again,
    "encoded again, long groups": lambda *where: encode_again(*where, gop=250),
}


def chunks_of(folder: Path) -> tuple[Chunk, ...]:
    files = sorted(folder.iterdir(), key=lambda path: float(path.stem))
    return tuple(Chunk(float(path.stem), path.name, lambda path=path: path) for path in files)


def same(found, expected) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("times_ms", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize(
    ("cutter", "gop"),
    [*product(["copied", "segmented"], [1, 7, 250]), ("encoded again", 7), ("encoded again, long groups", 7)],
)
def test_frames_from_chunks_are_those_of_the_uncut_video(tmp_path, whole, cutter, gop, times_ms) -> None:
    source = whole(times_ms, gop)
    (folder := tmp_path / "chunks").mkdir()
    CUTTERS[cutter](source, folder, [0, 3, 6, 9])
    chunks, random = chunks_of(folder), np.random.default_rng(0)
    clips = [(0.0, 9.3, 7), (2.99, 3.01, 3), (3.0, 3.0, 1), (5.9, 6.1, 4)]
    clips += [(*sorted(random.uniform(0, 9.3, 2)), int(random.integers(1, 5))) for _ in range(10)]
    if times_ms == EVEN:  # else how long the last frame is shown is the muxer's guess, and with it where a video ends
        clips += [(9.2, 99.0, 2), (np.nan, np.nan, 9)]
    for start, end, count in clips:
        assert same(read_frames(chunks, start, end, count, None), read_frames(source, start, end, count, None)), start
        drawn = [read_frames(video, start, end, count, np.random.default_rng(5)) for video in (chunks, source)]
        assert same(*drawn), (start, "drawn")


def test_only_the_chunks_that_a_clip_touches_are_read(tmp_path, whole) -> None:
    (folder := tmp_path / "chunks").mkdir()
    encode_again(whole(), folder, [0, 3, 6, 9])
    read = []
    chunks = tuple(
        Chunk(each.begins_s, each.name, lambda each=each: (read.append(each.name), each.read())[1])
        for each in chunks_of(folder)
    )
    read_frames(chunks, 3.5, 5.5, 4, None)
    assert read == ["3.mp4"]
    read.clear()
    read_frames(chunks, 5.0, 7.0, 4, None)
    assert read == ["3.mp4", "6.mp4"]


def test_chunks_that_are_missing_are_named(tmp_path, whole) -> None:
    (folder := tmp_path / "chunks").mkdir()
    encode_again(whole(), folder, [0, 3, 6, 9])
    chunks = chunks_of(folder)
    with pytest.raises(ValueError, match=r"^a chunk from 2\.8 s to 6 s is missing$"):
        read_frames((chunks[0], *chunks[2:]), 2.0, 5.0, 3, None)[0]
    with pytest.raises(ValueError, match=r"^a chunk from 0 s to 3 s is missing$"):
        read_frames(chunks[1:], 0.0, 2.0, 1, None)
    with pytest.raises(ValueError, match=r"^the clip begins at 9\.5 s, the video ends at 8\.84 s$"):
        read_frames(chunks[:3], 9.5, 9.9, 2, None)
    without_second = (chunks[0], *chunks[2:])
    assert same(read_frames(without_second, 6.0, 9.0, 3, None), read_frames(chunks, 6.0, 9.0, 3, None))


def test_chunks_that_are_numbered_are_refused(tmp_path, whole) -> None:
    """As ``ffmpeg -f segment`` names them: 0, 1, 2, ..."""
    (folder := tmp_path / "chunks").mkdir()
    encode_again(whole(), folder, [0, 3, 6, 9])
    numbered = tuple(Chunk(float(n), f"{n}.mp4", each.read) for n, each in enumerate(chunks_of(folder)))
    with pytest.raises(
        ValueError,
        match=r"^0\.mp4 goes on beyond 1\.mp4; name chunks by their first second, or give --chunk-seconds$",
    ):
        read_frames(numbered, 0.0, 5.0, 3, None)
    with pytest.raises(
        ValueError,
        match=r"^2\.mp4 goes on beyond 3\.mp4; name chunks by their first second, or give --chunk-seconds$",
    ):
        read_frames(numbered, 8.0, 9.0, 3, None)


@pytest.fixture
def kitchen(tmp_path, whole):
    """EPIC-KITCHENS-100's layout: one video in chunks, and one in a file."""
    source = whole()
    (folder := tmp_path / "videos" / "P01" / "P01_01.MP4").mkdir(parents=True)
    encode_again(source, folder, [0, 3, 6, 9])
    for path in folder.iterdir():
        path.rename(path.with_suffix(".MP4"))
    (tmp_path / "videos" / "P02_02.mp4").write_bytes(source.read_bytes())
    return tmp_path / "videos"


CLIPS = MediaList(
    ["c1", "c2", "c3"], None, ["P01_01", "P01_01", "P02_02"], np.array([2.0, 5.0, 2.0]), np.array([7.0, 5.5, 7.0])
)


def test_chunks_are_found_in_folders_zips_and_tars(tmp_path, kitchen) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(kitchen, "top")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(kitchen.rglob("*.*4")):
            if path.is_file():
                archive.write(path, path.relative_to(kitchen))
    expected = open_media(kitchen, CLIPS, view=View(32, 4))
    assert (expected.load(0) == expected.load(2)).all()
    assert (expected.load(0) != expected.load(1)).any()
    for root in (tmp_path / "a.tar", tmp_path / "a.zip"):
        source = open_media(root, CLIPS, view=View(32, 4))
        assert all((source.load(row) == expected.load(row)).all() for row in range(3)), root
        locate = links.videos(root)(["P01_01", "P02_02", "P03_03"])[0]
        linked = MediaList(CLIPS.ids, [locate[0], locate[0], locate[1]], None, CLIPS.start_s, CLIPS.end_s)
        assert locate[2] is None
        by_column = open_media(None, linked, view=View(32, 4))
        assert all((by_column.load(row) == expected.load(row)).all() for row in range(3)), root
    with pytest.raises(InputError, match=r"videos: 1 of 1 media are missing there, first: P03_03"):
        open_media(kitchen, MediaList(["P03_03"]), view=View(32, 4))


def test_a_folder_of_chunks_is_what_annotations_link_to(tmp_path, kitchen) -> None:
    found = links.videos(kitchen)(["P01_01", "P02_02"])[0]
    assert found == [str(kitchen / "P01" / "P01_01.MP4"), str(kitchen / "P02_02.mp4")]
    linked = MediaList(CLIPS.ids, [found[0], found[0], found[1]], None, CLIPS.start_s, CLIPS.end_s)
    expected, source = (open_media(root, CLIPS if root else linked, view=View(32, 4)) for root in (kitchen, None))
    assert all((source.load(row) == expected.load(row)).all() for row in range(3))
    annotations = tmp_path / "annotations.parquet"
    pq.write_table(pa.table({"sample_id": ["c1"], "text": ["cut an onion"], "media": [found[0]]}), annotations)
    before = linked_parameters(None, annotations)
    (kitchen / "P01" / "P01_01.MP4" / "6.MP4").unlink()
    assert linked_parameters(None, annotations) != before


def test_chunks_may_be_numbered_where_their_length_is_given(kitchen) -> None:
    expected = open_media(kitchen, CLIPS, view=View(32, 4))
    same_names = open_media(kitchen, CLIPS, view=View(32, 4, chunk_seconds=3))
    assert all((same_names.load(row) == expected.load(row)).all() for row in range(3))
    for number, second in enumerate([0, 3, 6, 9]):
        chunk = kitchen / "P01" / "P01_01.MP4" / f"{second}.MP4"
        chunk.rename(chunk.with_name(f"n{number}"))
    for number in range(4):
        chunk = kitchen / "P01" / "P01_01.MP4" / f"n{number}"
        chunk.rename(chunk.with_name(f"{number}.MP4"))
    with pytest.raises(DamagedMediumError, match="or give --chunk-seconds"):
        open_media(kitchen, CLIPS, view=View(32, 4)).load(0)
    numbered = open_media(kitchen, CLIPS, view=View(32, 4, chunk_seconds=3))
    assert all((numbered.load(row) == expected.load(row)).all() for row in range(3))
    (kitchen / "P01" / "P01_01.MP4" / "3.MP4").rename(kitchen / "P01" / "P01_01.MP4" / "4.5.MP4")
    with pytest.raises(DamagedMediumError, match=r"4\.5\.MP4 begins at no multiple of --chunk-seconds 3; correct that"):
        open_media(kitchen, CLIPS, view=View(32, 4, chunk_seconds=3)).load(0)
    with pytest.raises(InputError, match=r"^--chunk-seconds 0: more than 0 was expected$"):
        View(32, 4, chunk_seconds=0)
    with pytest.raises(InputError, match=r"^--chunk-seconds: is for video clips; give --frames, or leave it out$"):
        View(32, chunk_seconds=3)


def test_a_missing_chunk_is_a_damaged_medium(kitchen) -> None:
    (kitchen / "P01" / "P01_01.MP4" / "3.MP4").unlink()
    source = open_media(kitchen, CLIPS, view=View(32, 1))
    folder = re.escape(str(kitchen / "P01" / "P01_01.MP4"))
    with pytest.raises(
        DamagedMediumError, match=rf"^{folder}: clip c1 can't be decoded \(a chunk from 2\.8 s to 6 s is missing\)$"
    ):
        source.load(0)


def test_a_gap_between_the_names_of_chunks_is_warned_of(tmp_path) -> None:
    for video, seconds in {"v1": [0, 15, 30, 45], "v2": [0, 30, 45], "v3": [0, 15]}.items():
        (folder := tmp_path / f"{video}.MP4").mkdir()
        for second in seconds:
            (folder / f"{second}.MP4").touch()
    with pytest.warns(
        UserWarning, match=r"1 of 3 videos in chunks lack some, first: v2\.MP4: a chunk from 15 s to 30 s is missing"
    ):
        links.videos(tmp_path)(["v1", "v2", "v3"])
    (tmp_path / "v2.MP4" / "15.MP4").touch()
    (tmp_path / "v3.MP4" / "21.7.MP4").touch()  # cut at keyframes: names tell nothing
    (tmp_path / "v1.MP4" / "30.MP4").unlink()
    with warnings.catch_warnings(action="error"):
        links.videos(tmp_path)(["v1", "v2", "v3"])


@pytest.mark.parametrize("other", ["0.mkv", "00.mp4"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_two_chunks_of_one_second_are_refused(tmp_path, kind, other) -> None:
    root = tmp_path / "v"
    for name in ("P01.MP4/0.mp4", "P01.MP4/15.mp4", f"P01.MP4/{other}", "P02.mp4", "unasked/1.mp4", "unasked/01.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    linked = str(root / "P01.MP4")
    if kind != "folder":
        root = Path(shutil.make_archive(str(root), kind, root))
        linked = f"{kind}://P01.MP4::{root}"
    readers = (
        lambda: links.videos(root)(["P01", "P02"]),
        lambda: open_media(root, MediaList(["P01"]), view=View(32, 2)),
        lambda: open_media(None, MediaList(["P01"], [linked]), view=View(32, 2)),
    )
    for read in readers:
        with pytest.raises(InputError, match=r"v.*: \S+ and \S+ are both the chunk from 0 s on; leave one of") as error:
            read()
        assert {name.rpartition("/")[2] for name in str(error.value).split()} >= {"0.mp4", other}
    assert links.videos(root)(["P02"])[0][0] is not None


def test_every_damaged_file_is_found_by_a_look_at_each(tmp_path, kitchen, film) -> None:
    chunks = kitchen / "P01" / "P01_01.MP4"
    (chunks / "3.MP4").unlink()
    (chunks / "9.MP4").write_bytes(b"no video" * 99)
    whole = film(tmp_path / "long.mkv", frames=500).read_bytes()  # 20 s
    (kitchen / "P03_03.mkv").write_bytes(whole[: len(whole) // 2])  # it opens, and says that it is 20 s long
    clips = [
        ("before", "P01_01", 0.0, 2.5),
        ("gap", "P01_01", 2.0, 5.0),
        ("end", "P01_01", 8.0, 9.5),
        ("late", "P02_02", 11.0, 12.0),
        ("fine", "P02_02", 0.0, 99.0),
        ("cut", "P03_03", 1.0, 2.0),
    ]
    ids, videos, starts, ends = zip(*clips, strict=True)
    annotations = tmp_path / "annotations.parquet"
    columns = {"sample_id": ids, "text": ids, "video_id": videos, "start_s": starts, "end_s": ends}
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), annotations)
    found = find_damage(annotations, kitchen)
    assert (found["media"], found["damaged"]) == (6, 4)
    faults = {each["file"]: [] for each in found["faults"]}
    for each in found["faults"]:
        faults[each["file"]].append((each["reason"], each["media_ids"]))
    assert faults[str(chunks)] == [
        ("a chunk from 2.8 s to 6 s is missing", ["gap"]),
        ("9.MP4: Invalid data found when processing input", ["end"]),
    ]
    assert faults[str(kitchen / "P02_02.mp4")] == [("it ends at 9.84 s, before clips begin", ["late"])]
    [(reason, concerned)] = faults[str(kitchen / "P03_03.mkv")]
    assert re.match("it is cut short: its frames end at .* not at 20 s as it says", reason)
    assert concerned == ["cut"]


def test_clips_that_go_on_after_their_video_are_told(tmp_path, kitchen, monkeypatch, mmts) -> None:
    video, ends = kitchen / "P02_02.mp4", [9.84, 10.8, 10.9, 99.0, 99.0, None]  # it ends at 9.84 s
    ids = [f"clip{number}" for number in range(len(ends))]
    columns = {
        "sample_id": ids,
        "text": ids,
        "video_id": ["P02_02"] * 6,
        "start_s": [1.0] * 4 + [9.9, 1.0],
        "end_s": ends,
    }
    annotations = tmp_path / "annotations.parquet"
    pq.write_table(pa.table(columns), annotations)
    found = find_damage(annotations, kitchen)
    assert [each["media_ids"] for each in found["faults"]] == [["clip4"]]
    reason = "it ends at 9.84 s, before clips end, of which one goes on to 99 s"
    assert found["cut"] == [{"file": str(video), "reason": reason, "media_ids": ["clip2", "clip3"]}]
    shown = mmts("inspect", annotations, "--media", kitchen)
    assert shown.code == 2
    cut = "2 clips of 1 video lose their end; the frames that are there stand for the whole clip\n"
    assert f"{cut}  {video}: {reason} (clip2, clip3)\n" in shown.out

    kept = media_list(read_annotations(annotations).slice(0, 4))
    session = SimpleNamespace(
        validation=SimpleNamespace(media=open_media(kitchen, kept, view=View(32, 2))),
        graded=True,
        config=SimpleNamespace(val_split="val", annotations="a.parquet", media="videos", metric="mAP"),
    )
    progress, notes = Silent(), []
    monkeypatch.setattr(progress, "note", notes.append)
    require_whole(session, progress)
    listed = "`mmts inspect a.parquet --media videos` lists them"
    assert notes == [f"2 clips of the val split, first clip2, end after their videos do: {listed}"]


def test_videos_named_by_numbers_are_no_chunks(tmp_path, whole) -> None:
    data = whole().read_bytes()
    (tmp_path / "all").mkdir()
    for name in ("7.mp4", "12.mp4"):
        (tmp_path / "all" / name).write_bytes(data)
    source = open_media(tmp_path / "all", MediaList(["12", "7"]), view=View(32, 2))
    assert (source.load(0) == source.load(1)).all()
