"""``prepare table``: any table with a column of text."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.annotations.sources import as_string, occurrence, read_source, require_column, seconds
from pipelines.artifacts import StagePlan, StageResult, require_unique
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError


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
    force: bool = False,
) -> StageResult:
    """Turn a user's table into an annotations file.

    The named columns become ``text``, ``sample_id``, ``media``, ``media_id``, ``split``, ``start_s`` and ``end_s``; all
    other columns are carried along under their names, and one that has such a name already needs no naming. Where there
    are no ids they are made from content: ``MEDIA_ID#n`` for the n-th text of a medium, else a hash of the text and
    ``#n`` for its n-th occurrence, so that re-runs, and rows in another order, give the same ids. Without
    ``media_id_column`` the medium's path is its id. Empty cells of a CSV or TSV are null.

    Args:
        source: A CSV, TSV, JSON-lines or Parquet file.
        output: The annotations file to write.
        text_column: Any column; numbers are read as text.
        id_column: A column that is unique and holds no nulls.
        media_column: Path or URI of the medium.
        media_id_column: Name of the medium; several rows may share one.
        split_column: Split of each row.
        class_columns: Columns that must be there and hold no nulls, for ``cluster --method class``.
        start_column: Start of the clip in seconds.
        end_column: End of the clip in seconds.
        force: Write the output even if it is up to date or was not written by mmts.

    Raises:
        InputError: A file or column is missing or unusable, or ids repeat.
    """
    source, output = Path(source), Path(output)
    named = {
        "sample_id": id_column,
        "text": text_column,
        "media_id": media_id_column,
        "media": media_column,
        "start_s": start_column,
        "end_s": end_column,
        "split": split_column,
    }
    plan = StagePlan(
        "prepare table",
        output,
        {"columns": dict(named), "class_columns": list(class_columns)},
        {"source": source},
        foreign=("source",),
    )
    if done := plan.finished(force=force):
        return done
    as_text = [named[key] for key in ("text", "sample_id", "media_id", "media", "split")]
    # A class that also serves as text keeps its type as a class; only the copy of it becomes text.
    table = read_source(
        source,
        as_text=list(dict.fromkeys(n for n in as_text if n and n not in class_columns)),
        as_text_if_present=("sample_id", "media_id", "media", "split"),
    )
    for key in named:
        if named[key] is None and key in table.column_names and key not in named.values():
            named[key] = key
    for name in class_columns:
        require_column(table, name, source)
        if table.column(name).null_count:
            raise InputError(f"{source}: {table.column(name).null_count} rows have no {name}")

    columns: dict[str, pa.ChunkedArray] = {}
    for key, column in named.items():
        if column is not None:
            require_column(table, column, source)
            values = table.column(column)
            columns[key] = seconds(values, column, source) if key.endswith("_s") else as_string(values, column, source)
    if "media" in columns:
        columns.setdefault("media_id", columns["media"])
    if "sample_id" not in columns:
        columns["sample_id"] = _make_ids(columns["text"], columns.get("media_id"))
    require_unique(columns["sample_id"], named["sample_id"] or "sample_id", source)
    ordered = {key: columns[key] for key in named if key in columns}
    consumed = {name for name in named.values() if name} - set(class_columns)
    for name in table.column_names:
        if name not in ordered and name not in consumed:
            ordered[name] = table.column(name)
        elif named.get(name) not in (None, name):
            warnings.warn(f"{source}: column '{name}' is dropped, '{named[name]}' takes its name", stacklevel=2)
    annotations = pa.table(ordered)
    with plan.writer(annotations.schema) as writer:
        writer.summary = summarise(annotations)
        writer.write(annotations)
    return StageResult(output, False, writer.summary)


def summarise(annotations: pa.Table) -> dict[str, object]:
    """Rows, distinct texts, media and rows per split of an annotations table."""
    summary: dict[str, object] = {
        "rows": annotations.num_rows,
        "distinct_texts": len(annotations.column("text").unique()),
    }
    if "media_id" in annotations.column_names:
        summary["media"] = len(annotations.column("media_id").unique())
    if "split" in annotations.column_names:
        counts = annotations.column("split").value_counts().to_pylist()
        summary["splits"] = {str(count["values"]): count["counts"] for count in counts}
    return summary


def _make_ids(text: pa.ChunkedArray, media_id: pa.ChunkedArray | None) -> pa.ChunkedArray:
    if media_id is not None and not media_id.null_count:
        stems = media_id.to_pylist()
    else:
        stems = [hashlib.sha256((value or "").encode()).hexdigest()[:16] for value in text.to_pylist()]
    ids = [f"{stem}#{n}" for stem, n in zip(stems, occurrence(pa.array(stems)), strict=True)]
    return pa.chunked_array([ids])
