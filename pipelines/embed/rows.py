"""The rows of embeddings and features files."""

from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import vector_type


def vector_schema(key: str, dimension: int, dtype: str, *, split: bool) -> pa.Schema:
    """Columns ``key``, ``embedding`` and, where there are splits, ``split``."""
    columns = [(key, pa.string()), ("embedding", vector_type(dimension, dtype))]
    return pa.schema([*columns, *([("split", pa.string())] if split else [])])


def with_vectors(table: pa.Table, vectors_nd: NDArray[Any]) -> pa.Table:
    """The table with its rows' vectors ``[n, d]`` as column ``embedding``."""
    flat = pa.array(vectors_nd.reshape(-1))
    return table.append_column("embedding", pa.FixedSizeListArray.from_arrays(flat, vectors_nd.shape[1]))
