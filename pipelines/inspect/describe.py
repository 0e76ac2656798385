"""What ``mmts inspect`` tells of a Parquet file."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts import (
    LABELS,
    kind_of,
    largest_and_smallest,
    open_parquet,
    read_labels,
    read_provenance,
    read_table,
)
from pipelines.artifacts.provenance import is_intact


def describe(path: Path | str, *, rows: int = 5) -> dict[str, Any]:
    """Describe a Parquet file, one of ours or any other.

    Args:
        path: The file.
        rows: How many first rows to give.

    Returns:
        ``kind`` (None where it is none of ours), ``rows``, ``row_groups``, ``bytes``, ``columns`` (name, type, nulls
        and statistics of each), ``provenance`` (None without our footer), ``changed`` (whether the data differ from
        what mmts wrote), ``first_rows``; and of labels, or clusters with labels beside them, ``labels``: how many
        ``clusters`` have one, and the labels of the ``rows`` ``largest`` and ``smallest``.

    Raises:
        InputError: The file can't be read.
    """
    path = Path(path)
    provenance = read_provenance(path)
    with open_parquet(path) as file:
        schema = file.schema_arrow
        columns = [_column(file.read(columns=[name]).column(0), name) for name in schema.names]
        shown = min(rows, file.metadata.num_rows)
        first = next(file.iter_batches(batch_size=max(shown, 1)), None)
        head = [] if first is None else first.slice(0, shown).to_pylist()
        kind = kind_of(schema.names)
        return {
            "path": str(path),
            "kind": kind,
            "rows": file.metadata.num_rows,
            "row_groups": file.metadata.num_row_groups,
            "bytes": path.stat().st_size,
            "columns": columns,
            "provenance": None if provenance is None else {**vars(provenance)},
            "changed": None if provenance is None else not is_intact(path, provenance),
            "first_rows": [{key: _plain(value) for key, value in row.items()} for row in head],
            **_labels(path, kind, rows),
        }


def _labels(path: Path, kind: str | None, rows: int) -> dict[str, Any]:
    """The labels that belong to a file: its own, or those beside it; each cluster once."""
    table = read_table(path, LABELS) if kind == "labels" else read_labels(path) if kind == "clusters" else None
    return {} if table is None else {"labels": largest_and_smallest(table, rows)}


def _column(column: pa.ChunkedArray, name: str) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "type": str(column.type), "nulls": column.null_count}
    present = column.drop_null()
    if not len(present):
        return described
    kind = present.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = present.to_numpy().astype(np.float64)
        described |= {"min": _number(values.min()), "mean": _number(values.mean()), "max": _number(values.max())}
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        described |= _list_statistics(present)
    elif not pa.types.is_nested(kind):
        with contextlib.suppress(pa.ArrowNotImplementedError):  # types that Arrow can't compare, such as intervals
            described["distinct"] = pc.count_distinct(_decoded(present)).as_py()
    return described


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _list_statistics(column: pa.ChunkedArray) -> dict[str, Any]:
    lengths = pc.list_value_length(column)
    span = pc.min_max(lengths).as_py()
    described: dict[str, Any] = {"length_min": span["min"], "length_max": span["max"]}
    if span["min"] == span["max"] and span["min"] and pa.types.is_floating(column.type.value_type):
        norms = np.concatenate(
            [
                np.linalg.norm(
                    np.asarray(chunk.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(-1, span["min"]),
                    axis=1,
                )
                for chunk in column.chunks
            ]
        )
        described |= {"norm_min": _number(norms.min()), "norm_mean": _number(norms.mean())}
        described["norm_max"] = _number(norms.max())
    return described


def _number(value: Any) -> float | None:
    """A float for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A value for JSON; long lists are cut."""
    if isinstance(value, list):
        return [_plain(item) for item in value[:4]] + (["..."] if len(value) > 4 else [])
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
