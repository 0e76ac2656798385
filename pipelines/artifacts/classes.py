"""Classes of samples, in columns of their annotations."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.ids import first_few
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import Kind
from pipelines.errors import InputError


def read_class_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """The columns ``sample_id`` and those named, and ``split`` where there is one.

    Raises:
        InputError: The file can't be used, or lacks a column.
    """
    with open_parquet(path) as file:
        has_split = "split" in file.schema_arrow.names
    kind = Kind("annotations", "sample_id", {"sample_id": pa.string()}, {"split": pa.string()})
    return read_table(path, kind, list(dict.fromkeys(["sample_id", *columns, *["split"] * has_split])))


def class_column(table: pa.Table, name: str, path: Path) -> pa.Array:
    """The class of each sample ``(n,)``; what is nested counts as it is spelled.

    Raises:
        InputError: A class is null; says how many and which samples first.
    """
    column = table.column(name).combine_chunks()
    if column.null_count:
        first = table.column("sample_id").filter(pc.is_null(column)).slice(0, 3).to_pylist()
        raise InputError(f"{path}: {column.null_count} rows have no {name}, first: {first_few(first)}")
    if pa.types.is_nested(column.type):
        return pa.array([str(value) for value in column.to_pylist()])
    return column
