"""Matrices of vectors, in memory where they are small and on the disk where they are not."""

import contextlib
import mmap
import os
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipelines.artifacts.writers import writing
from pipelines.errors import InputError

# Up to which size, as float32, a matrix is held in memory: 700,000 rows of 384.
IN_MEMORY_BYTES = 2**30
RESIDENT_BYTES = 256 * 2**20  # of a file on the disk that may be mapped at a time
_COPIED_BYTES = 32 * 2**20  # that are converted to float32 at a time


class MappedMatrix:
    """A matrix ``[n, d]`` on the disk, whose rows are float32 when they are asked for.

    It is stored as what it was written as, so float16 takes half the room. What is read does not stay in memory. The
    file has no name, so that nothing is left of it, however the process ends.

    Args:
        shape: ``(n, d)``.
        dtype: ``float16`` or ``float32``, as it is stored.
        folder: Where the file is, which needs room for it.

    Raises:
        InputError: The disk has no room.
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: DTypeLike, folder: Path) -> None:
        kind = np.dtype(dtype)
        with writing(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # open as long as the matrix lives
            self._file.truncate(shape[0] * shape[1] * kind.itemsize)
        self._folder = folder
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._stored_nd: NDArray[Any] = np.frombuffer(self._map, dtype=kind).reshape(shape)
        self._rows: NDArray[np.int64] | None = None
        self._touched = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self._stored_nd.shape[1]

    def __len__(self) -> int:
        """Rows."""
        return len(self._stored_nd) if self._rows is None else len(self._rows)

    def __setitem__(self, rows: slice, block_nd: NDArray[np.floating[Any]]) -> None:
        """Store the rows from ``rows.start`` on."""
        row_bytes = self._stored_nd.strides[0]
        with writing(self._folder):
            self._file.seek(rows.start * row_bytes)
            self._file.write(np.ascontiguousarray(block_nd, dtype=self._stored_nd.dtype).data)
            self._file.flush()

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Some rows, in the order of their numbers in ``rows``, of which negative ones count from the end.

        Raises:
            IndexError: There is no such row.
            InputError: The file was cut short.
        """
        in_order = isinstance(rows, slice) and self._rows is None
        chosen = self._places(np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows)
        row_bytes = self._stored_nd.strides[0]
        step = max(1, min(_COPIED_BYTES, RESIDENT_BYTES) // row_bytes)
        block_nd = np.empty((len(chosen), self.shape[1]), dtype=np.float32)
        for start in range(0, len(chosen), step):
            part = chosen[start : start + step]
            if in_order or not hasattr(os, "pread"):  # as on Windows
                block_nd[start : start + step] = self._stored_nd[part]
                self._forget(len(part) * row_bytes)
            else:
                block_nd[start : start + step] = self._scattered(part)
        return block_nd

    def _places(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Where some rows are in the file; int64, since their offsets in bytes may be beyond that of other integers."""
        count = len(self)
        places: NDArray[np.int64] = np.asarray(rows).astype(np.int64, casting="same_kind")
        outside = (places < -count) | (places >= count)
        if outside.any():
            raise IndexError(f"row {places[outside][0]} is out of bounds for a matrix of {count} rows")
        places = np.where(places < 0, places + count, places)
        return places if self._rows is None else self._rows[places]

    def _scattered(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows as they are stored, read from the file.

        Of a row that is mapped, a system may map up to two megabytes around it, and all that counts as memory of this
        process: a batch of rows from all over the file would have most of the file there.
        """
        row_bytes = self._stored_nd.strides[0]
        runs = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        offsets = (rows[runs[:-1]] * row_bytes).tolist()
        lengths = [(end - start) * row_bytes for start, end in pairwise(runs)]
        found = b"".join(map(partial(os.pread, self._file.fileno()), lengths, offsets))
        if len(found) < len(rows) * row_bytes:
            raise InputError(
                f"{self._folder}: a file with vectors there was cut short while it was read; run this again"
            )
        return np.frombuffer(found, dtype=self._stored_nd.dtype).reshape(len(rows), -1)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it in memory, for what can't take it row by row."""
        return self[:].astype(dtype or np.float32, copy=False)

    def take(self, rows: NDArray[np.int64]) -> "MappedMatrix":
        """The matrix of some rows, in that order; the same file.

        Raises:
            IndexError: There is no such row.
        """
        taken = object.__new__(MappedMatrix)
        taken.__dict__.update(self.__dict__)
        taken._rows = self._places(rows)
        return taken

    def _forget(self, touched: int) -> None:
        """Let go of what is mapped, where that has become much; the system still has it as long as it has room."""
        self._touched += touched
        if self._touched >= RESIDENT_BYTES:
            with contextlib.suppress(AttributeError):  # on Windows, which does so by itself
                self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0


Matrix = NDArray[np.float32] | MappedMatrix


def new_matrix(shape: tuple[int, int], dtype: DTypeLike, folder: Path | None) -> Matrix:
    """A matrix to be filled: in memory as float32, or on the disk as ``dtype`` where it is large.

    Args:
        shape: ``(n, d)``.
        dtype: ``float16`` or ``float32``.
        folder: Where there may be a file; None for memory, however large.

    Raises:
        InputError: The disk has no room.
    """
    if folder is None or 4 * shape[0] * shape[1] <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype=np.float32)
    return MappedMatrix(shape, dtype, folder)


def take(matrix_nd: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """The matrix of some rows, in that order; what is on the disk, or is all of the matrix, is not copied."""
    if len(rows) == len(matrix_nd) and bool((rows == np.arange(len(rows))).all()):
        return matrix_nd
    return matrix_nd.take(rows) if isinstance(matrix_nd, MappedMatrix) else matrix_nd[rows]
