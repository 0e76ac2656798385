"""Figures of a column, read batch by batch."""

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.distinct import Distinct
from pipelines.artifacts.opening import ParquetRows

_BATCH_ROWS = 16_384


def describe_column(file: ParquetRows, field: pa.Field) -> dict[str, Any]:
    """Describe a column: its ``name``, ``type``, ``nulls``, and what else its type has to tell."""
    statistics = _statistics_of(field.type)
    nulls = 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=[field.name]):
        column = batch.column(0)
        nulls += column.null_count
        if len(present := column.drop_null()):
            statistics.add(present)
    return {"name": field.name, "type": str(field.type), "nulls": nulls, **statistics.described()}


def _statistics_of(kind: pa.DataType) -> "_Numbers | _Lists | _Values":
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _Numbers()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _Lists()
    return _Values(kind)


class _Numbers:
    """Smallest, mean and largest of some numbers."""

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._count = 0
        self._sum, self._min, self._max = 0.0, np.inf, -np.inf

    def add(self, values: pa.Array | NDArray[np.floating[Any]]) -> None:
        value_n = np.asarray(values, dtype=np.float64)
        self._count += len(value_n)
        self._sum += value_n.sum()
        self._min, self._max = np.minimum(self._min, value_n.min()), np.maximum(self._max, value_n.max())

    def described(self) -> dict[str, Any]:
        if not self._count:
            return {}
        found = {"min": self._min, "mean": self._sum / self._count, "max": self._max}
        return {f"{self._name}{key}": _number(value) for key, value in found.items()}


class _Lists:
    """Lengths of lists, and the norms of vectors, which are lists of floats that are all of one length."""

    def __init__(self) -> None:
        self._shortest, self._longest = np.inf, 0
        self._norms = _Numbers("norm_")

    def add(self, lists: pa.Array) -> None:
        span = pc.min_max(pc.list_value_length(lists)).as_py()
        self._shortest, self._longest = min(self._shortest, span["min"]), max(self._longest, span["max"])
        if self._shortest == self._longest > 0 and pa.types.is_floating(lists.type.value_type):
            values = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), np.float32)
            self._norms.add(np.linalg.norm(values.reshape(-1, self._longest), axis=1))

    def described(self) -> dict[str, Any]:
        if not np.isfinite(self._shortest):
            return {}
        same = self._shortest == self._longest
        return {"length_min": self._shortest, "length_max": self._longest, **(self._norms.described() if same else {})}


class _Values:
    """How many distinct values there are, where Arrow can compare them; of texts and bytes by their digests."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        self._long = are_texts(self._kind)
        self._digests = Distinct()
        self._chunks: list[pa.Array] = []

    def add(self, values: pa.Array) -> None:
        values = values.cast(self._kind)
        if self._long:
            self._digests.add(values.cast(pa.large_binary()).to_pylist())
        elif not pa.types.is_nested(self._kind):
            with contextlib.suppress(pa.ArrowNotImplementedError):  # such as intervals
                self._chunks.append(pc.unique(values))

    def described(self) -> dict[str, Any]:
        if self._long:
            return {"distinct": count} if (count := self._digests.count()) else {}
        return {"distinct": pc.count_distinct(pa.chunked_array(self._chunks)).as_py()} if self._chunks else {}


def are_texts(kind: pa.DataType) -> bool:
    """Whether values are texts or bytes, which may be long."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in (*tests, pa.types.is_fixed_size_binary))


def _number(value: Any) -> float | None:
    """A float for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None
