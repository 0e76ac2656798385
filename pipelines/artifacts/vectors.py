"""Embeddings and features as matrices."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.files import nearest
from pipelines.artifacts.ids import ID_COLUMNS, align, first_few, require_unique
from pipelines.artifacts.matrix import Matrix, new_matrix
from pipelines.artifacts.opening import ParquetRows, open_parquet
from pipelines.artifacts.splits import plain_splits
from pipelines.artifacts.text import text_column
from pipelines.errors import InputError
from pipelines.remote import as_path

_BLOCK_ROWS = 25_000  # that are decoded at a time, however large the file's row groups are
# What others call the ids of media; `mmts prepare features` makes ``media_id`` of them.
FOREIGN_ID_COLUMNS = ("image_id", "video_id", "clip_id", "id", "image", "video", "filename", "file_name", "key")


@dataclass(frozen=True)
class Vectors:
    """Rows of an embeddings or features file.

    Attributes:
        path: The file they came from.
        id_column: ``sample_id`` (text) or ``media_id`` (media).
        ids: (n,) ids, each once.
        matrix_nd: (n, d) float32, all finite, no row of zeros; read row by row where it is large, see `read_vectors`.
        split: (n,) split of each row, where the file has the column.
        kept_m: (m,) the rows that ``matrix_nd``, then ``(m, d)``, has, ascending; None for all.
    """

    path: Path
    id_column: str
    ids: pa.ChunkedArray
    matrix_nd: Matrix
    split: pa.ChunkedArray | None
    kept_m: NDArray[np.int64] | None = None

    def rows_of(self, wanted: pa.ChunkedArray, what: str) -> NDArray[np.int64]:
        """Where the rows ``(n,)`` of some media or samples are in the matrix.

        Args:
            wanted: Their ids; of those that were asked for, where the matrix has no more.
            what: ``media`` or ``samples``, for the message.

        Raises:
            InputError: Some are missing; says how many and which first, and whether the file looks like the other kind.
        """
        try:
            rows = align(wanted, self.ids, what=what, path=self.path)
            return rows if self.kept_m is None else np.searchsorted(self.kept_m, rows)
        except InputError as error:
            if what == "media" and self.id_column == "sample_id" and not pc.any(pc.is_in(wanted, self.ids)).as_py():
                raise InputError(
                    f"{error}; it has sample_id, as embeddings of texts have: are --media and --text swapped?"
                ) from error
            raise


def vector_type(dimension: int, dtype: str = "float32") -> pa.DataType:
    """The Arrow type of an embedding column: a fixed-size list of float32 or float16."""
    return pa.list_(pa.float16() if dtype == "float16" else pa.float32(), dimension)


def vector_schema(key: str, dimension: int, dtype: str, *, split: bool) -> pa.Schema:
    """Columns ``key``, ``embedding`` and, where there are splits, ``split``."""
    columns = [(key, pa.string()), ("embedding", vector_type(dimension, dtype))]
    return pa.schema([*columns, *([("split", pa.string())] if split else [])])


def with_vectors(table: pa.Table, vectors_nd: NDArray[Any], source: str) -> pa.Table:
    """The table with its rows' vectors ``[n, d]``, as they are stored, as column ``embedding``.

    Args:
        table: Ids in the first column.
        vectors_nd: The vectors.
        source: What they come from, for the message.

    Raises:
        InputError: Vectors hold NaN or infinite values, or only zeros.
    """
    check_vectors(vectors_nd, table.column(0), table.column_names[0], source)
    flat = pa.array(vectors_nd.reshape(-1))
    return table.append_column("embedding", pa.FixedSizeListArray.from_arrays(flat, vectors_nd.shape[1]))


def check_vectors(vectors_nd: NDArray[Any], ids: pa.ChunkedArray, id_column: str, source: str | Path) -> None:
    """Refuse vectors that can't be compared, by the names of their rows.

    Args:
        vectors_nd: Vectors ``[n, d]`` of any float type.
        ids: Their ids ``(n,)``.
        id_column: What the ids are called.
        source: What they come from.

    Raises:
        InputError: Some hold NaN or infinite values, as float16 has beyond 65,504, or only zeros.
    """
    check = _Check(half=vectors_nd.dtype == np.float16)
    check.add(vectors_nd)
    check.require_usable(ids, id_column, source)


@dataclass
class _Check:
    """Looks for vectors that can't be compared, block by block.

    Attributes:
        half: Whether they are stored as float16, whatever they were read as.
        rows: How many it has seen.
        broken: Rows that hold NaN or infinite values.
        zero: Rows of zeros.
        overflown: Whether a row holds infinite values, as float16 has beyond its range.
    """

    half: bool
    rows: int = 0
    broken: list[int] = field(default_factory=list)
    zero: list[int] = field(default_factory=list)
    overflown: bool = False

    def add(self, block_nd: NDArray[Any]) -> None:
        """Look at the next rows ``(n, d)``."""
        # A row's sum of squares is finite and not 0 unless an element isn't finite, all are 0, or the sum leaves the
        # range of its type: look closely only at those rows.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            square_n = np.einsum("nd,nd->n", block_nd, block_nd)
        suspects = np.flatnonzero(~np.isfinite(square_n) | (square_n == 0))
        broken = suspects[~np.isfinite(block_nd[suspects]).all(axis=1)]
        self.overflown |= bool(self.half and np.isinf(block_nd[broken]).any())
        self.broken += (self.rows + broken).tolist()
        self.zero += (self.rows + suspects[~block_nd[suspects].any(axis=1)]).tolist()
        self.rows += len(block_nd)

    def require_usable(self, ids: pa.ChunkedArray, id_column: str, source: str | Path) -> None:
        """Refuse what was found, by the ids of all rows, as `check_vectors`."""
        if self.broken:
            remedy = (
                "--dtype float32 holds larger numbers" if self.overflown else "encode these again, or leave them out"
            )
            _refuse(self.broken, "hold NaN or infinite values", ids, id_column, source, remedy)
        if self.zero:
            _refuse(self.zero, "are all zeros", ids, id_column, source, "encode these again, or leave them out")


def _refuse(rows: list[int], what: str, ids: pa.ChunkedArray, id_column: str, source: str | Path, remedy: str) -> None:
    first = first_few(ids.take(pa.array(rows[:3])).to_pylist())
    raise InputError(f"{source}: {len(rows)} vectors {what}, first {id_column}: {first}; {remedy}")


def read_vectors(
    path: Path | str,
    *,
    id_column: str | None = None,
    column: str = "embedding",
    only: pa.ChunkedArray | None = None,
    scratch: Path | None = None,
) -> Vectors:
    """Read an embeddings or features file; plain lists, as pandas and Polars write them, are accepted.

    Args:
        path: The Parquet file.
        id_column: The id column; by default whichever of ``sample_id`` and ``media_id`` the file has.
        column: The column of vectors.
        only: Ids of the rows whose vectors are wanted, for `Vectors.rows_of`: the others are looked at, but not kept.
        scratch: A folder for what is too large for memory, see `MappedMatrix`; None for a matrix in memory, however
            large.

    Raises:
        InputError: The file or a column is missing or damaged, ids repeat, vectors are null, of several lengths, all
            zeros, NaN or infinite; or the disk has no room.
    """
    path = as_path(path)
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        id_column, ids = _ids(file, id_column, column, path)
        split = None
        if "split" in names:
            split = plain_splits(text_column(file.read(columns=["split"]).column(0), "split", path), path)
        half = is_half(file.schema_arrow.field(column).type)
        kept_m = None if only is None else np.flatnonzero(pc.is_in(ids, value_set=only))
        rows = len(ids) if kept_m is None else len(kept_m)
        matrix_nd: Matrix | None = None
        check = _Check(half)
        for batch in file.iter_batches(batch_size=_BLOCK_ROWS, columns=[column]):
            start, block_nd = check.rows, _matrix(batch.column(0), ids, check.rows, path)
            if matrix_nd is None:
                matrix_nd = new_matrix((rows, block_nd.shape[1]), np.float16 if half else np.float32, scratch)
            if block_nd.shape[1] != matrix_nd.shape[1]:
                odd = first_few(ids.slice(start, 1).to_pylist())
                raise InputError(
                    f"{path}: vectors of {matrix_nd.shape[1]} and {block_nd.shape[1]} dimensions in one file, first of "
                    f"other size: {odd}"
                )
            check.add(block_nd)
            first = start
            if kept_m is not None:
                first, end = np.searchsorted(kept_m, (start, check.rows))
                block_nd = block_nd[kept_m[first:end] - start]
            if check.rows <= len(ids):
                matrix_nd[first : first + len(block_nd)] = block_nd
        if matrix_nd is None or check.rows != len(ids):  # as where a damaged page says that it is shorter
            raise InputError(f"{path}: damaged: {len(ids)} ids but {check.rows} vectors; make it again")
    check.require_usable(ids, id_column, path)
    return Vectors(path, id_column, ids, matrix_nd, split, kept_m)


def read_vector_ids(path: Path | str) -> pa.ChunkedArray:
    """The ids of an embeddings or features file alone, in its order.

    Raises:
        InputError: As `read_vectors`, as far as ids are concerned.
    """
    path = as_path(path)
    with open_parquet(path) as file:
        return _ids(file, None, "embedding", path)[1]


def _ids(file: ParquetRows, id_column: str | None, column: str, path: Path) -> tuple[str, pa.ChunkedArray]:
    """Name and content of the id column of a file that should also have ``column``."""
    names = file.schema_arrow.names
    id_column = id_column or next((name for name in ID_COLUMNS if name in names), "sample_id")
    for name in (id_column, column):
        if name not in names:
            hint = _hint(name, names, path) or f"{nearest(name, names)} (columns: {first_few(names)})"
            raise InputError(f"{path}: no column '{name}'{hint}")
    if file.num_rows == 0:
        raise InputError(f"{path}: has no rows")
    ids = text_column(file.read(columns=[id_column]).column(0), id_column, path, is_id=True)
    require_unique(ids, id_column, path)
    return id_column, ids


def is_half(kind: pa.DataType) -> bool:
    """Whether a column of vectors is of float16; what is no list, and refused with its values, is not."""
    return bool(getattr(kind, "value_type", None) == pa.float16())


def _hint(name: str, names: list[str], path: Path) -> str:
    """What to do where a column is missing under its name, but is there under one that others use."""
    if name == "sample_id" and "media_id" in names:
        return "; it has media_id, as features of media have: are --media and --text swapped?"
    foreign = next((each for each in FOREIGN_ID_COLUMNS if each in names), None)
    if name in ID_COLUMNS and foreign:
        return f" or 'media_id', but '{foreign}'; `mmts prepare features` makes media_id of it"
    return ""


def _matrix(array: pa.Array, ids: pa.ChunkedArray, start: int, path: Path) -> NDArray[np.float32]:
    if not (
        pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type)
    ):
        raise InputError(f"{path}: column 'embedding' is {array.type}; lists of floats were expected")
    if array.null_count:
        first = first_few(ids.slice(start, len(array)).filter(pc.is_null(array)).slice(0, 3).to_pylist())
        raise InputError(f"{path}: {array.null_count} vectors are null, first: {first}")
    lengths = pc.unique(pc.list_value_length(array)).to_pylist()
    if len(lengths) != 1 or lengths[0] == 0:
        odd = pc.not_equal(pc.list_value_length(array), lengths[0])
        first = first_few(ids.slice(start, len(array)).filter(odd).slice(0, 3).to_pylist())
        where = f", first of other size: {first}" if first else ""
        raise InputError(
            f"{path}: vectors of {' and '.join(map(str, sorted(lengths)[:3]))} dimensions in one file{where}"
        )
    values = array.flatten()
    if values.null_count:
        rows = np.unique(np.flatnonzero(values.is_null()) // lengths[0])
        first = first_few(ids.take(pa.array(start + rows[:3])).to_pylist())
        raise InputError(f"{path}: {values.null_count} elements of the vectors are null, first in: {first}")
    if not pa.types.is_floating(values.type) and not pa.types.is_integer(values.type):
        raise InputError(f"{path}: column 'embedding' holds {values.type}; numbers were expected")
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(len(array), lengths[0])
