"""What ``mmts inspect`` tells of a Parquet file."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.artifacts import (
    LABELS,
    kind_of,
    largest_and_smallest,
    open_parquet,
    read_labels,
    read_provenance,
    read_table,
)
from pipelines.artifacts.needs import Need, announce
from pipelines.artifacts.provenance import is_intact
from pipelines.inspect.statistics import are_texts, describe_column
from pipelines.progress import SILENT, Progress
from pipelines.remote import located

_BASE, _PER_ROW = 0.37 * 2**30, 160  # bytes, of a column of texts; measured by benchmarks/scale.py


def describe(path: Path | str, *, rows: int = 5, progress: Progress = SILENT) -> dict[str, Any]:
    """Describe a Parquet file, one of ours or any other.

    Args:
        path: The file.
        rows: How many first rows to give.
        progress: Is told what memory will be needed, where that is much.

    Returns:
        ``kind`` (None where it is none of ours), ``files``, ``rows``, ``row_groups``, ``bytes``, ``columns`` (name,
        type, nulls and statistics of each), ``provenance`` (None without our footer, and of several files), ``changed``
        (whether the data differ from what mmts wrote), ``first_rows``; and of labels, or clusters with labels beside
        them, ``labels``: how many ``clusters`` have one, and the labels of the ``rows`` ``largest`` and ``smallest``.

    Raises:
        InputError: The file can't be read.
    """
    path = located(path)
    provenance = read_provenance(path)
    with open_parquet(path) as file:
        schema = file.schema_arrow
        need = Need(_BASE + _PER_ROW * file.num_rows * any(map(are_texts, schema.types)))
        announce(progress.note, need, path.parent)
        columns = [describe_column(file, schema.field(name)) for name in schema.names]
        shown = min(rows, file.num_rows)
        head: list[dict[str, Any]] = []
        for batch in file.iter_batches(batch_size=max(shown, 1)):
            head += batch.slice(0, shown - len(head)).to_pylist()
            if len(head) == shown:
                break
        kind = kind_of(schema.names)
        return {
            "path": str(path),
            "kind": kind,
            "files": len(file.files),
            "rows": file.num_rows,
            "row_groups": file.num_row_groups,
            "bytes": sum(each.stat().st_size for each in file.files),
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


def _plain(value: Any) -> Any:
    """A value for JSON; long lists are cut."""
    if isinstance(value, list):
        return [_plain(item) for item in value[:4]] + (["..."] if len(value) > 4 else [])
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
