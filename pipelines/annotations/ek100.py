"""``prepare ek100``: EPIC-KITCHENS-100 clips, their classes, and which of them are retrieval sentences."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations import links
from pipelines.annotations.checks import Checks, possible_times, whole_numbers
from pipelines.annotations.columns import require_column
from pipelines.annotations.sources import read_source
from pipelines.artifacts import first_few, require_unique
from pipelines.errors import InputError

# Published numbers of clips and of unique sentences.
CLIPS = {"train": 67_217, "test": 9_668}
SENTENCES = {"train": 15_989, "test": 3_842}
_CLIP_FILES = {"train": "EPIC_100_train.csv", "test": "EPIC_100_retrieval_test.csv"}
_TEXTS = ("narration_id", "narration", "participant_id", "video_id", "start_timestamp", "stop_timestamp")
_CARRIED = ("verb", "noun")
_NUMBERS = ("verb_class", "noun_class", "start_frame", "stop_frame")
_TIMESTAMP = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row a clip: ``sample_id`` and ``media_id`` are its ``narration_id``, ``text`` its narration.

    Columns beside those of every annotations file: ``video_id``, ``participant_id``, ``verb``, ``noun``,
    ``verb_class``, ``noun_class``, ``start_frame``, ``stop_frame`` (int32), ``all_noun_classes`` (list of int32) and
    ``retrieval_sentence`` (bool): whether the official list of unique sentences names the row.

    Raises:
        InputError: A file can't be used, ids repeat, classes are not numbers, a clip ends before it starts, or counts
            differ from the published ones.

    Source:
        Damen et al., Rescaling Egocentric Vision (2022).
    """
    tables = []
    for split in splits:
        clips = files.get(_CLIP_FILES[split])
        if clips is None:
            continue
        table = _read_clips(clips, split, checks)
        checks.count(clips, table.num_rows, CLIPS[split], f"{split} clips")
        sentences = files.get(f"EPIC_100_retrieval_{split}_sentence.csv")
        tables.append(_mark_sentences(table, sentences, clips, split, checks))
    if not tables:
        folder = next(iter(files.values())).parent
        raise InputError(f"{folder}: retrieval sentences but no clips; {' or '.join(_CLIP_FILES.values())} is needed")
    return pa.concat_tables(tables)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link clips to videos below ``root``, named by their ``video_id``."""
    return links.link(table, table.column("video_id").to_pylist(), links.videos(root), root, checks)


def _read_clips(path: Path, split: str, checks: Checks) -> pa.Table:
    table = read_source(path, as_text=[*_TEXTS, "all_noun_classes"], as_text_if_present=_CARRIED)
    for name in _NUMBERS:
        require_column(table, name, path)
    ids = table.column("narration_id")
    require_unique(ids, "narration_id", path)
    columns = {
        "sample_id": ids,
        "text": table.column("narration"),
        "media_id": ids,
        "start_s": _as_seconds(table.column("start_timestamp"), ids, path),
        "end_s": _as_seconds(table.column("stop_timestamp"), ids, path),
        "split": pa.array([split] * len(ids)),
        "video_id": table.column("video_id"),
        "participant_id": table.column("participant_id"),
        **{name: table.column(name) for name in _CARRIED if name in table.column_names},
        **{name: whole_numbers(table.column(name), name, path) for name in _NUMBERS},
        "all_noun_classes": _as_class_lists(table.column("all_noun_classes"), ids, path),
    }
    return possible_times(pa.table(columns), path, checks, published=True)


def _mark_sentences(table: pa.Table, sentences: Path | None, clips: Path, split: str, checks: Checks) -> pa.Table:
    """Append ``retrieval_sentence``; null where the list of sentences is not there."""
    if sentences is None:
        return table.append_column("retrieval_sentence", pa.nulls(table.num_rows, pa.bool_()))
    listed = read_source(sentences, as_text=["narration_id"]).column("narration_id")
    require_unique(listed, "narration_id", sentences)
    checks.count(sentences, len(listed), SENTENCES[split], f"{split} sentences")
    ids = table.column("sample_id")
    absent = listed.filter(pc.invert(pc.is_in(listed, value_set=ids))).to_pylist()
    if absent:
        message = f"{len(absent):,} of {len(listed):,} sentences name no clip of {clips.name}"
        checks.incomplete(f"{sentences}: {message}, first: {first_few(absent)}")
    marks = pc.is_in(ids, value_set=listed)
    return table.append_column("retrieval_sentence", marks)


def _as_seconds(column: pa.ChunkedArray, ids: pa.ChunkedArray, path: Path) -> pa.Array:
    """``HH:MM:SS.ff`` as seconds."""
    found = []
    for name, value in zip(ids.to_pylist(), column.to_pylist(), strict=True):
        parts = _TIMESTAMP.fullmatch(value or "")
        if parts is None:
            raise InputError(f"{path}: narration {name} has the time '{value}'; HH:MM:SS.ff was expected")
        hours, minutes, rest = parts.groups()
        found.append(int(hours) * 3600 + int(minutes) * 60 + float(rest))
    return pa.array(found, pa.float64())


def _as_class_lists(column: pa.ChunkedArray, ids: pa.ChunkedArray, path: Path) -> pa.Array:
    """``[2, 36]`` as a list of int32."""
    known: dict[str | None, list[int]] = {}
    for name, value in zip(ids.to_pylist(), column.to_pylist(), strict=True):
        if value not in known:
            try:
                classes = json.loads(value or "")
            except ValueError:
                classes = None
            if not isinstance(classes, list) or not classes or not all(type(number) is int for number in classes):
                shown = (value or "nothing")[:60]
                raise InputError(
                    f"{path}: narration {name} has all_noun_classes {shown}; a list of class numbers expected"
                )
            known[value] = classes
    return pa.array([known[value] for value in column.to_pylist()], pa.list_(pa.int32()))
