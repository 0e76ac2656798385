"""``prepare msrvtt``: the 1k-A split."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.annotations import links
from pipelines.annotations.checks import TEXT_OR_NULL, Checks, member
from pipelines.annotations.columns import occurrence
from pipelines.annotations.sources import read_source
from pipelines.artifacts import first_few, require_unique
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

PUBLISHED_VIDEOS = 9_000
PUBLISHED_CAPTIONS = 180_000
PUBLISHED_TEST_PAIRS = 1_000


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row a caption: ``VIDEO#n`` (train), or the key of the CSV (test); ``media_id`` is the video's id.

    Raises:
        InputError: A file can't be used, or counts differ from the published ones.

    Source:
        Xu et al., MSR-VTT (2016); the 1k-A split of Yu et al., A Joint Sequence Fusion Model (2018).
    """
    tables = []
    if {"MSRVTT_data.json", "MSRVTT_train.9k.csv"} <= set(files):
        tables.append(_read_train(files["MSRVTT_data.json"], files["MSRVTT_train.9k.csv"], checks))
    if path := files.get("MSRVTT_JSFUSION_test.csv"):
        tables.append(_read_test(path, checks))
    if not tables:
        only = next(iter(files.values()))

        raise InputError(f"{only}: can't be used alone; MSRVTT_data.json and MSRVTT_train.9k.csv are needed together")
    return pa.concat_tables(tables)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link captions to videos below ``root``, named by their ``video_id``."""
    return links.link(table, table.column("media_id").to_pylist(), links.videos(root), root, checks)


def _read_train(captions: Path, videos: Path, checks: Checks) -> pa.Table:
    listed = read_source(videos, as_text=["video_id"]).column("video_id")
    require_unique(listed, "video_id", videos)
    checks.count(videos, len(listed), PUBLISHED_VIDEOS, "training videos")
    wanted = set(listed.to_pylist())
    names, texts = [], []
    for number, sentence in enumerate(member(read_json(captions), "sentences", list, f"{captions}: the file")):
        where = f"{captions}: sentence {number}"
        name = member(sentence, "video_id", str, where)
        if name in wanted:
            names.append(name)
            texts.append(member(sentence, "caption", TEXT_OR_NULL, where))
    if absent := sorted(wanted - set(names)):
        message = f"{len(absent):,} of {len(wanted):,} training videos have no caption, first: {first_few(absent)}"
        checks.incomplete(f"{captions}: {message}")
    checks.count(captions, len(names), PUBLISHED_CAPTIONS, "captions of training videos")
    ids = [f"{name}#{n}" for name, n in zip(names, occurrence(pa.array(names)), strict=True)]
    return _table(ids, texts, names, "train")


def _read_test(path: Path, checks: Checks) -> pa.Table:
    table = read_source(path, as_text=["key", "video_id", "sentence"])
    require_unique(table.column("key"), "key", path)
    require_unique(table.column("video_id"), "video_id", path)
    checks.count(path, table.num_rows, PUBLISHED_TEST_PAIRS, "test pairs")
    ids, texts, names = (table.column(name).to_pylist() for name in ("key", "sentence", "video_id"))
    return _table(ids, texts, names, "test")


def _table(ids: list[str], texts: list[str | None], names: list[str], split: str) -> pa.Table:
    columns = {"sample_id": ids, "text": texts, "media_id": names, "split": [split] * len(ids)}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
