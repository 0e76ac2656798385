"""The nearest of many vectors, exactly, in bounded memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import open_parquet
from pipelines.scores.similarity import EmbeddingScores

FloatMatrix = NDArray[np.floating[Any]]


def nearest(vectors: Path, query_qd: FloatMatrix, count: int) -> tuple[list[list[str]], NDArray[np.float64]]:
    """The rows of a file of vectors that are nearest to each of q queries by cosine.

    Similarities are those that ``eval`` ranks by, the same to the last bit, and of equal ones the first row comes
    first, as there. A row group at a time is read.

    Args:
        vectors: File with ids in its first column and ``embedding``, which mmts wrote.
        query_qd: The queries ``(q, d)``.
        count: How many to find; all rows where there are fewer.

    Returns:
        Ids of the k nearest of each query, and their similarities ``(q, k)``, the nearest first.
    """
    similarity_qk: NDArray[np.float64] = np.empty((len(query_qd), 0))
    row_qk: NDArray[np.int64] = np.empty((len(query_qd), 0), dtype=np.int64)
    start = 0
    with open_parquet(vectors) as file:
        ids = file.read(columns=[file.schema_arrow.names[0]]).column(0)
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, columns=["embedding"]).column(0).combine_chunks()
            vector_nd = column.flatten().to_numpy().reshape(len(column), -1)
            block_qn = EmbeddingScores(vector_nd, query_qd).block(slice(None), slice(None)).T
            row_qn = np.broadcast_to(np.arange(start, start + len(column)), block_qn.shape)
            similarity_qk, row_qk = np.hstack([similarity_qk, block_qn]), np.hstack([row_qk, row_qn])
            best_qk = np.argsort(-similarity_qk, axis=1, kind="stable")[:, :count]
            similarity_qk = np.take_along_axis(similarity_qk, best_qk, 1)
            row_qk = np.take_along_axis(row_qk, best_qk, 1)
            start += len(column)
    found = [ids.take(pa.array(rows)).to_pylist() for rows in row_qk]
    return found, similarity_qk
