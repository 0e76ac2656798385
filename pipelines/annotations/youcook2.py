"""``prepare youcook2``: the official segments, and the retrieval test set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.annotations import links
from pipelines.annotations.checks import TEXT_OR_NULL, Checks, member, possible_times
from pipelines.annotations.columns import occurrence, require_column, seconds
from pipelines.annotations.sources import read_source
from pipelines.artifacts import first_few
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

# Videos and segments of the official file.
PUBLISHED = {"train": (1_333, 10_337), "val": (457, 3_492)}
PUBLISHED_TEST_CLIPS = 3_350
TEST_CLIPS_IN_CIRCULATION = range(3_305, 3_370)  # videos vanish from the web, and test sets with them
_SUBSETS = {"train": "training", "val": "validation"}
_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("text", pa.string()),
        ("media_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("split", pa.string()),
        ("video_id", pa.string()),
        ("duration_s", pa.float64()),
    ]
)


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row a segment, ``VIDEO_k`` (train, val), and one a test clip, ``VIDEO_START_END``; each is its own medium.

    ``duration_s`` is that of the video; null in the test set, whose file has none.

    Raises:
        InputError: A file can't be used, a video has no duration, a clip ends before it starts, or counts differ from
            the published ones.

    Source:
        Zhou et al., Towards Automatic Learning of Procedures from Web Instructional Videos (2018); the test set of
        Miech et al., HowTo100M (2019).
    """
    tables = []
    if path := files.get("youcookii_annotations_trainval.json"):
        tables.append(_read_segments(path, [split for split in splits if split in _SUBSETS], checks))
    if path := files.get("validation_youcook.csv"):
        tables.append(_read_test(path, checks))
    return pa.concat_tables(tables)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link clips to videos below ``root``, named by their ``video_id``."""
    return links.link(table, table.column("video_id").to_pylist(), links.videos(root), root, checks)


def _read_segments(path: Path, splits: Sequence[str], checks: Checks) -> pa.Table:
    database = member(read_json(path), "database", dict, f"{path}: the file")
    without = [name for name, video in database.items() if not isinstance(video, dict) or not video.get("duration")]
    if without:
        message = f"{len(without)} videos have no duration, first: {first_few(without)}"
        raise InputError(f"{path}: {message}; download the published file again")
    rows: list[dict[str, Any]] = []
    for split in splits:
        before = len(rows)
        videos = {name: video for name, video in database.items() if video.get("subset") == _SUBSETS[split]}
        for name, video in videos.items():
            rows += _segments(name, video, split, f"{path}: video {name}")
        checks.count(path, len(videos), PUBLISHED[split][0], f"{_SUBSETS[split]} videos")
        checks.count(path, len(rows) - before, PUBLISHED[split][1], f"{_SUBSETS[split]} segments")
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    return possible_times(table, path, checks, published=True)


def _segments(name: str, video: dict[str, Any], split: str, where: str) -> list[dict[str, Any]]:
    duration = member(video, "duration", (int, float), where)
    rows = []
    for number, annotation in enumerate(member(video, "annotations", list, where)):
        segment = member(annotation, "segment", list, f"{where}, annotation {number},")
        if len(segment) != 2 or not all(isinstance(second, (int, float)) for second in segment):
            raise InputError(f"{where}, annotation {number}: 'segment' is {segment}; start and end in seconds expected")
        clip = f"{name}_{number}"
        rows.append(
            {
                "sample_id": clip,
                "text": member(annotation, "sentence", TEXT_OR_NULL, f"{where}, annotation {number},"),
                "media_id": clip,
                "start_s": float(segment[0]),
                "end_s": float(segment[1]),
                "split": split,
                "video_id": name,
                "duration_s": float(duration),
            }
        )
    return rows


def _read_test(path: Path, checks: Checks) -> pa.Table:
    table = read_source(path, as_text=["video_id", "text"])
    for name in ("start", "end"):
        require_column(table, name, path)
    start_s, end_s = (seconds(table.column(name), name, path) for name in ("start", "end"))
    names, starts, ends = table.column("video_id").to_pylist(), start_s.to_pylist(), end_s.to_pylist()
    clips = [f"{name}_{_short(a)}_{_short(b)}" for name, a, b in zip(names, starts, ends, strict=True)]
    # The published set names one clip twice, with two texts: each is a test pair of its own.
    clips = [f"{clip}#{n}" if n else clip for clip, n in zip(clips, occurrence(pa.array(clips)), strict=True)]
    columns = {
        "sample_id": clips,
        "text": table.column("text"),
        "media_id": clips,
        "start_s": start_s,
        "end_s": end_s,
        "split": ["test"] * len(clips),
        "video_id": table.column("video_id"),
        "duration_s": pa.nulls(len(clips), pa.float64()),
    }
    annotations = pa.table(columns, schema=_SCHEMA)
    annotations = possible_times(annotations, path, checks, published=True)
    if len(clips) not in TEST_CLIPS_IN_CIRCULATION:
        checks.count(path, len(clips), PUBLISHED_TEST_CLIPS, "test clips")
    return annotations


def _short(number: float | None) -> str:
    return "?" if number is None else f"{number:g}"
