"""Reading and writing the stages' Parquet files."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.artifacts.files import nearest, replacing
from pipelines.artifacts.ids import ID_COLUMNS, require_unique
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.provenance import FOOTER_KEY, Provenance
from pipelines.artifacts.schemas import Kind
from pipelines.artifacts.splits import plain_splits
from pipelines.artifacts.text import text_column
from pipelines.errors import InputError
from pipelines.remote import located

ROW_GROUP_ROWS = 25_000


def read_table(
    path: Path | str, kind: Kind, columns: list[str] | None = None, *, without: Collection[str] = ()
) -> pa.Table:
    """Read an artifact and check it against its kind.

    Args:
        path: The file.
        kind: What it is expected to be, such as ``CLUSTERS``.
        columns: Which columns to read; those of ``kind`` and no others if None.
        without: Columns that are not read, though one that ``kind`` requires has to be there.

    Returns:
        The table, its columns cast to the kind's types.

    Raises:
        InputError: The file can't be read, a column is missing or of another type, there are no rows, the key is null
            or occurs twice.
    """
    path = located(path)
    with open_parquet(path) as file:
        present = file.schema_arrow.names
        wanted = columns or [*kind.columns, *(name for name in kind.optional if name in present)]
        for name in wanted:
            if name not in present:
                raise InputError(
                    f"{path}: no column '{name}' as {kind.name} have{nearest(name, present)} "
                    f"(columns: {', '.join(present)})"
                )
        wanted = [name for name in wanted if name not in without]
        table = file.read(columns=wanted)
    if table.num_rows == 0:
        raise InputError(f"{path}: has no rows")
    types = {**kind.columns, **kind.optional}
    for index, name in enumerate(wanted):
        if name in types:
            table = table.set_column(index, name, _cast(table.column(name), types[name], path, name))
    if "split" in wanted:
        table = table.set_column(wanted.index("split"), "split", plain_splits(table.column("split"), path))
    if kind.key in wanted:
        if kind.unique:
            require_unique(table.column(kind.key), kind.key, path)
        elif table.column(kind.key).null_count:
            raise InputError(f"{path}: {table.column(kind.key).null_count} rows have no {kind.key}")
    return table


def _cast(column: pa.ChunkedArray, target: pa.DataType, path: Path, name: str) -> pa.ChunkedArray:
    if pa.types.is_string(target) or pa.types.is_large_string(target):
        return text_column(column, name, path, is_id=name in ID_COLUMNS, target=target)
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return pc.cast(column, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column '{name}' is {column.type}, can't be read as {target}") from error


def _beside_vectors(schema: pa.Schema) -> bool | list[str]:
    """What has a dictionary and statistics: all columns, or those beside embeddings, whose numbers hardly come twice.

    Without them dense vectors of float16 take about half the time, and no more room (benchmarks/vector_files.py).
    """
    if "embedding" not in schema.names:
        return True
    return [field.name for field in schema if not pa.types.is_nested(field.type)]


class ArtifactWriter:
    """Writes one artifact in row groups, whole or not at all, with its provenance in the footer.

    Use as a context manager; the file appears under its name when the block ends without an exception.

    Attributes:
        summary: Figures for the footer; may be filled while writing.
    """

    def __init__(self, path: Path, schema: pa.Schema, provenance: Provenance) -> None:
        self.summary: dict[str, Any] = dict(provenance.summary)
        self._path = path
        self._schema = schema
        self._provenance = provenance
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._rows = 0
        self._finished = False

    def __enter__(self) -> "ArtifactWriter":
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            self._sink = _HashingSink(stack.enter_context(temporary.open("wb")))
            flat = _beside_vectors(self._schema)
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._sink, mode="w"),
                self._schema,
                compression="zstd",
                write_page_checksum=True,
                use_dictionary=flat,
                write_statistics=flat,
            )
            self._stack = stack.pop_all()
        return self

    def write(self, table: pa.Table) -> None:
        """Add rows; they reach the disk in groups of ``ROW_GROUP_ROWS``."""
        table = table.select(self._schema.names)
        # Only where there is something to cast: Arrow casts lists of nulls to themselves, and gets them wrong.
        self._pending.append(table if table.schema.equals(self._schema) else table.cast(self._schema))
        self._pending_rows += table.num_rows
        if self._pending_rows >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._pending_rows:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            self._rows += table.num_rows
        self._pending, self._pending_rows = [], 0

    def finish(self) -> None:
        """Write all that is left, the footer too, so that taking its name needs no more room; no rows come after.

        For an artifact that takes its place together with others; else the end of the block does it.
        """
        if self._finished:
            return
        self._flush()
        provenance = dataclasses.replace(
            self._provenance,
            rows=self._rows,
            summary=self.summary,
            data_digest=self._sink.digest(),
            columns=self._schema.names,
        )
        self._writer.add_key_value_metadata({FOOTER_KEY: provenance.to_json()})
        self._writer.close()
        self._sink.flush()
        self._finished = True

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        try:
            if error is None:
                self.finish()
            elif not self._finished:
                self._writer.close()
                self._sink.flush()
        except BaseException as fault:
            self._stack.__exit__(type(fault), fault, fault.__traceback__)
            raise
        return self._stack.__exit__(kind, error, trace)


class _HashingSink:
    """A writable file that hashes what passes, so that the footer can carry the digest of the data before it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        if self._handle.closed:
            return len(data)  # Arrow ends the file of a writer that was given up, when Python collects it
        self._digest.update(data)
        return self._handle.write(data)

    def flush(self) -> None:
        self._handle.flush()

    def tell(self) -> int:
        return self._handle.tell()

    def close(self) -> None:
        """Left to the writer's exit stack, which syncs the file first."""

    def digest(self) -> str:
        return self._digest.hexdigest()[:32]
