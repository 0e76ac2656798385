"""``prepare table``: any table with a column of text."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations.checks import MEDIA, ROW, SOURCE, Checks, is_blank, possible_times
from pipelines.annotations.columns import occurrence, require_column, seconds
from pipelines.annotations.delimited import Dialect
from pipelines.annotations.imbalance import Imbalance
from pipelines.annotations.left_out import finished
from pipelines.annotations.sources import read_sources, source_files
from pipelines.annotations.writing import write_annotations
from pipelines.artifacts import StagePlan, StageResult, first_few, plain_splits, require_unique, text_column
from pipelines.artifacts.writers import one_writer
from pipelines.remote import located

_IMG2DATASET = {"key", "url", "status"}  # columns by which its Parquet files are known
_SHORT = 8  # digits of a hash that tell the texts of one medium apart


@one_writer
def prepare_table(
    source: Path | str,
    output: Path | str,
    *,
    text_column: str,
    id_column: str | None = None,
    media_column: str | None = None,
    media_id_column: str | None = None,
    split_column: str | None = None,
    class_columns: Sequence[str] = (),
    start_column: str | None = None,
    end_column: str | None = None,
    separator: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    imbalance: Imbalance | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> StageResult:
    """Turn a user's table into an annotations file.

    The named columns become ``text``, ``sample_id``, ``media``, ``media_id``, ``split``, ``start_s`` and ``end_s``; all
    other columns are carried along under their names, and one that has such a name already needs no naming. Text and
    ids are what the file says, letter by letter. A row whose text is a list becomes a sample each, of one medium.

    Where there are no ids they are made from content, so that neither the order of rows nor rows added later change
    them: ``MEDIA_ID#HASH`` with a hash of the text, else ``HASH#0``. Rows alike in both are numbered in their order:
    ``MEDIA_ID#HASH#1``, ``HASH#1``. Without ``media_id_column`` the medium's path is its id. Empty cells are null.

    Args:
        source: A CSV, TSV, JSON (an object a line, or an array) or Parquet file, a folder of such files, or a pattern
            such as ``train-*.parquet``; text may be compressed (.gz, .bz2, .xz, .zst).
        output: The annotations file to write.
        text_column: Any column; numbers are read as text.
        id_column: A column that is unique and holds no nulls.
        media_column: Path or URI of the medium.
        media_id_column: Name of the medium; several rows may share one.
        split_column: Split of each row; the usual spellings of ``train``, ``val`` and ``test`` become these.
        class_columns: Columns that must be there and hold no nulls, for ``cluster --method class``.
        start_column: Start of the clip in seconds.
        end_column: End of the clip in seconds.
        separator: Character between the cells of a text file, or comma, tab, semicolon, pipe; found out if None.
        quote: Character around cells of a text file, or ``none``; found out if None.
        encoding: Encoding of a text file; that of its byte order mark, else UTF-8, if None.
        imbalance: Makes the training split long-tailed; as it is if None.
        allow_partial: Leave out rows that can't be used, and list them in ``OUTPUT.left-out.csv``.
        force: Write the output even if it is up to date or was not written by mmts.

    Raises:
        InputError: A file or column is missing or unusable, or ids repeat.
    """
    source, output = located(source), located(output)
    dialect, checks = Dialect(separator, quote, encoding), Checks(allow_partial)
    named = {
        "sample_id": id_column,
        "text": text_column,
        "media_id": media_id_column,
        "media": media_column,
        "start_s": start_column,
        "end_s": end_column,
        "split": split_column,
    }
    files = source_files(source)
    parameters = {"columns": dict(named), "class_columns": list(class_columns), "allow_partial": allow_partial}
    inputs = {"source": files[0]} if len(files) == 1 else {f"source {path.name}": path for path in files}
    plan = StagePlan(
        "prepare table",
        output,
        {**parameters, "dialect": vars(dialect), **(imbalance.parameters if imbalance else {})},
        inputs | (imbalance.inputs if imbalance else {}),
        foreign=tuple(inputs),
        results=2,  # 2: cells are read letter by letter, ids are made from content
    )
    if done := finished(plan, force=force):
        return done
    as_text = [named[key] for key in ("text", "sample_id", "media_id", "media", "split")]
    # A class that also serves as text keeps its type as a class; only the copy of it becomes text.
    table = read_sources(
        files,
        as_text=list(dict.fromkeys(n for n in as_text if n and n not in class_columns)),
        as_text_if_present=("sample_id", "media_id", "media", "split"),
        ids=[named["sample_id"] or "sample_id", named["media_id"] or "media_id"],
        dialect=dialect,
    )
    if set(table.column_names) >= _IMG2DATASET:
        failed = pc.not_equal(table.column("status"), "success")
        table = checks.keep(table, failed, source, "images could not be downloaded", always=True)
    for name in class_columns:
        require_column(table, name, source)
        table = checks.keep(table, pc.is_null(table.column(name)), source, f"rows have no {name}")
    annotations = _as_annotations(table, named, class_columns, source)
    for key in [key for key in ("sample_id", "media_id") if key in annotations.column_names]:
        missing = pc.is_null(annotations.column(key))
        annotations = checks.keep(annotations, missing, source, f"rows have no {named[key] or named['media'] or key}")
    annotations = checks.keep(annotations, is_blank(annotations.column("text")), source, "texts are empty")
    annotations = _with_ids(possible_times(annotations, source, checks))
    require_unique(annotations.column("sample_id"), named["sample_id"] or "sample_id", source)
    summary = write_annotations(plan, annotations.drop_columns([SOURCE, ROW]), checks, source, imbalance)
    checks.warn()
    return StageResult(output, False, summary)


def _as_annotations(
    table: pa.Table, named: dict[str, str | None], class_columns: Sequence[str], path: Path
) -> pa.Table:
    """The named columns under the names of annotations, then all others; fills in ``named`` what needs no naming."""
    for key in named:
        if named[key] is None and key in table.column_names and key not in named.values():
            named[key] = key
    columns: dict[str, pa.ChunkedArray] = {}
    for key, column in named.items():
        if column is not None:
            require_column(table, column, path)
            columns[key] = _read_as(key, table.column(column), column, path)
    if "media_id" not in columns and "media" in columns:
        columns["media_id"] = columns["media"]
    elif "media_id" not in columns and MEDIA in table.column_names:
        columns["media_id"] = table.column(MEDIA)
    ordered = {key: columns[key] for key in named if key in columns}
    consumed = {name for name in named.values() if name} - set(class_columns)
    for name in table.column_names:
        if name not in ordered and name not in consumed and name != MEDIA:
            ordered[name] = table.column(name)
        elif named.get(name) not in (None, name):
            warnings.warn(f"{path}: column '{name}' is dropped, '{named[name]}' takes its name", stacklevel=3)
    annotations = pa.table(ordered)
    return _one_text_a_row(annotations) if pa.types.is_list(annotations.column("text").type) else annotations


def _read_as(key: str, column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    if key.endswith("_s"):
        return seconds(column, name, path)
    if key == "text" and pa.types.is_list(column.type):
        return column
    text = text_column(column, name, path)
    if key != "split":
        return text
    splits = plain_splits(text, path)
    _warn_of_other_splits(splits, path)
    return splits


def _warn_of_other_splits(splits: pa.ChunkedArray, path: Path) -> None:
    """Say how many rows have no split, or one of another name, where others are of train, val or test."""
    counts = {count["values"]: count["counts"] for count in splits.value_counts().to_pylist()}
    others = {name: count for name, count in counts.items() if name not in ("train", "val", "test")}
    if others and len(others) < len(counts):
        said = first_few([f"{name or 'no split'}: {count:,}" for name, count in others.items()])
        warnings.warn(
            f"{path}: {sum(others.values()):,} of {len(splits):,} rows are not in train, val or test ({said})",
            stacklevel=4,
        )


def _one_text_a_row(table: pa.Table) -> pa.Table:
    """Give each text of a list a row of its own; an empty list becomes a row without text.

    Rows of one list share their medium, named by the list's id, or by a hash of its texts, if nothing else names it.
    """
    texts = [value or [None] for value in table.column("text").to_pylist()]
    lists = np.repeat(np.arange(len(texts)), [len(value) for value in texts])
    numbers = [number for value in texts for number in range(len(value))]
    if "media_id" not in table.column_names:
        hashes = [_hash("\0".join(text or "" for text in value)) for value in texts]
        named = table.column("sample_id") if "sample_id" in table.column_names else pa.array(hashes, pa.string())
        table = table.append_column("media_id", named)
    place = table.column_names.index("text")
    table = table.drop_columns("text").take(pa.array(lists))
    table = table.add_column(place, "text", pa.array([text for value in texts for text in value], pa.string()))
    if "sample_id" in table.column_names:
        ids = zip(table.column("sample_id").to_pylist(), numbers, strict=True)
        numbered = pa.array([None if name is None else f"{name}#{number}" for name, number in ids], pa.string())
        table = table.set_column(table.column_names.index("sample_id"), "sample_id", numbered)
    return table


def _with_ids(table: pa.Table) -> pa.Table:
    """Samples with ``sample_id``, made from medium and text where they have none."""
    if "sample_id" in table.column_names:
        return table
    texts = table.column("text").to_pylist()
    if "media_id" in table.column_names:
        pairs = zip(table.column("media_id").to_pylist(), texts, strict=True)
        stems = [f"{media_id}#{_hash(text)[:_SHORT]}" for media_id, text in pairs]
        repeats = occurrence(pa.array(stems))
        ids = [f"{stem}#{number}" if number else stem for stem, number in zip(stems, repeats, strict=True)]
    else:
        stems = [_hash(text) for text in texts]
        ids = [f"{stem}#{number}" for stem, number in zip(stems, occurrence(pa.array(stems)), strict=True)]
    return table.add_column(0, "sample_id", pa.array(ids, pa.string()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
