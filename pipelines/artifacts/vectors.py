"""Embeddings and features as matrices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.artifacts.files import nearest
from pipelines.artifacts.ids import require_unique
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.splits import plain_splits
from pipelines.artifacts.text import text_column
from pipelines.errors import InputError

ID_COLUMNS = ("sample_id", "media_id")


@dataclass(frozen=True)
class Vectors:
    """Rows of an embeddings or features file.

    Attributes:
        path: The file they came from.
        id_column: ``sample_id`` (text) or ``media_id`` (media).
        ids: (n,) ids, each once.
        matrix_nd: (n, d) float32, all finite.
        split: (n,) split of each row, where the file has the column.
    """

    path: Path
    id_column: str
    ids: pa.ChunkedArray
    matrix_nd: NDArray[np.float32]
    split: pa.ChunkedArray | None


def vector_type(dimension: int, dtype: str = "float32") -> pa.DataType:
    """The Arrow type of an embedding column: a fixed-size list of float32 or float16."""
    return pa.list_(pa.float16() if dtype == "float16" else pa.float32(), dimension)


def read_vectors(path: Path | str, *, id_column: str | None = None, column: str = "embedding") -> Vectors:
    """Read an embeddings or features file; plain lists, as pandas and Polars write them, are accepted.

    Args:
        path: The Parquet file.
        id_column: The id column; by default whichever of ``sample_id`` and ``media_id`` the file has.
        column: The column of vectors.

    Raises:
        InputError: The file or a column is missing or damaged, ids repeat, vectors are null, of several lengths, NaN
            or infinite.
    """
    path = Path(path)
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        id_column, ids = _ids(file, id_column, column, path)
        split = None
        if "split" in names:
            split = plain_splits(text_column(file.read(columns=["split"]).column(0), "split", path), path)
        matrix_nd: NDArray[np.float32] | None = None
        start = 0
        for group in range(file.num_row_groups):
            block = _matrix(file.read_row_group(group, columns=[column]).column(column), ids, start, path)
            if matrix_nd is None:
                matrix_nd = np.empty((len(ids), block.shape[1]), dtype=np.float32)
            if block.shape[1] != matrix_nd.shape[1]:
                raise InputError(
                    f"{path}: vectors of {matrix_nd.shape[1]} and of {block.shape[1]} dimensions in one file"
                )
            matrix_nd[start : start + len(block)] = block
            start += len(block)
    assert matrix_nd is not None  # there are rows, so there are row groups
    _require_finite(matrix_nd, ids, id_column, path)
    return Vectors(path, id_column, ids, matrix_nd, split)


def read_vector_ids(path: Path | str) -> pa.ChunkedArray:
    """The ids of an embeddings or features file alone, in its order.

    Raises:
        InputError: As `read_vectors`, as far as ids are concerned.
    """
    path = Path(path)
    with open_parquet(path) as file:
        return _ids(file, None, "embedding", path)[1]


def _ids(file: pq.ParquetFile, id_column: str | None, column: str, path: Path) -> tuple[str, pa.ChunkedArray]:
    """Name and content of the id column of a file that should also have ``column``."""
    names = file.schema_arrow.names
    id_column = id_column or next((name for name in ID_COLUMNS if name in names), "sample_id")
    for name in (id_column, column):
        if name not in names:
            raise InputError(f"{path}: no column '{name}'{nearest(name, names)} (columns: {', '.join(names)})")
    if file.metadata.num_rows == 0:
        raise InputError(f"{path}: has no rows")
    ids = text_column(file.read(columns=[id_column]).column(0), id_column, path)
    require_unique(ids, id_column, path)
    return id_column, ids


def _matrix(column: pa.ChunkedArray, ids: pa.ChunkedArray, start: int, path: Path) -> NDArray[np.float32]:
    array = column.combine_chunks()
    if not (
        pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type)
    ):
        raise InputError(f"{path}: column 'embedding' is {array.type}; lists of floats were expected")
    if array.null_count:
        first = ids.slice(start, len(array)).filter(pc.is_null(array)).slice(0, 1).to_pylist()[0]
        raise InputError(f"{path}: {array.null_count} vectors are null, first: {first}")
    lengths = pc.unique(pc.list_value_length(array)).to_pylist()
    if len(lengths) != 1 or lengths[0] == 0:
        raise InputError(f"{path}: vectors of {' and '.join(map(str, sorted(lengths)[:3]))} dimensions in one file")
    values = array.flatten()
    if values.null_count:
        raise InputError(f"{path}: {values.null_count} elements of the vectors are null")
    if not pa.types.is_floating(values.type) and not pa.types.is_integer(values.type):
        raise InputError(f"{path}: column 'embedding' holds {values.type}; numbers were expected")
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(len(array), lengths[0])


def _require_finite(matrix_nd: NDArray[np.float32], ids: pa.ChunkedArray, id_column: str, path: Path) -> None:
    # A row's sum is finite unless an element isn't, or the sum overflows: look closely only at those rows.
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(matrix_nd.sum(axis=1)))
    bad = suspects[~np.isfinite(matrix_nd[suspects]).all(axis=1)]
    if len(bad):
        shown = ", ".join(ids.take(pa.array(bad[:3])).to_pylist())
        raise InputError(f"{path}: {len(bad)} vectors hold NaN or infinite values, first {id_column}: {shown}")
