"""Directions of vectors, and similarities to centroids."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.matrix import Matrix, new_matrix

BLOCK_ROWS = 65_536  # that are copied, or compared with centroids, at a time
FIT_BYTES = 3 * 2**29  # of rows that are fitted on, as float32: 1,048,576 rows of 384
_SQUARED = (1e-15, 1e18)  # lengths whose squares float32 holds, with elements that are far smaller


def normalised(matrix_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a zero row stays zero."""
    with np.errstate(over="ignore", under="ignore"):
        norm_n1 = np.linalg.norm(matrix_nd, axis=1, keepdims=True)
    unit_nd = np.ascontiguousarray(matrix_nd / np.maximum(norm_n1, np.finfo(np.float32).tiny))
    inexact = np.flatnonzero((norm_n1 < _SQUARED[0]) | (norm_n1 > _SQUARED[1]))
    if len(inexact):
        exact_md = matrix_nd[inexact].astype(np.float64)
        unit_nd[inexact] = exact_md / np.maximum(np.linalg.norm(exact_md, axis=1, keepdims=True), 1e-300)
    return unit_nd


def rows_to_fit(count_n: NDArray[np.integer[Any]], dimension: int) -> NDArray[np.int64]:
    """The rows that stand for training samples; of more than fit in `FIT_BYTES` a random sample, always the same.

    Args:
        count_n: (n,) how many training samples each row stands for.
        dimension: Length of a row.

    Returns:
        (m,) their numbers, in order.
    """
    rows: NDArray[np.int64] = np.flatnonzero(count_n)
    most = FIT_BYTES // (4 * dimension)
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def directions_of(matrix_nd: Matrix, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some rows of a matrix, scaled to unit length; never two copies of them at a time."""
    direction_md = np.empty((len(rows), matrix_nd.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        direction_md[part] = normalised(matrix_nd[rows[part]])
    return direction_md


def joined(
    text_md: Matrix,
    text_rows: NDArray[np.int64],
    media_md: Matrix,
    media_rows: NDArray[np.int64],
    media_weight: float,
    scratch: Path | None = None,
) -> Matrix:
    """Vectors of text and medium in one, of unit length.

    The cosine of two of them is ``(1 - media_weight)`` times that of their texts plus ``media_weight`` times that of
    their media.

    Args:
        text_md: Vectors of texts.
        text_rows: (n,) which of them each sample has.
        media_md: Vectors of media.
        media_rows: (n,) which of them each sample has.
        media_weight: Share of the media, 0 to 1.
        scratch: Where what is too large for memory goes, as in `read_vectors`.

    Returns:
        (n, d) the samples' vectors, d being the dimensions of text and media together.
    """
    text_d = text_md.shape[1]
    joint_nd = new_matrix((len(text_rows), text_d + media_md.shape[1]), np.float32, scratch)
    for start in range(0, len(text_rows), BLOCK_ROWS):
        part = slice(start, min(start + BLOCK_ROWS, len(text_rows)))
        block_bd = np.empty((part.stop - start, joint_nd.shape[1]), dtype=np.float32)
        np.multiply(normalised(text_md[text_rows[part]]), math.sqrt(1 - media_weight), out=block_bd[:, :text_d])
        np.multiply(normalised(media_md[media_rows[part]]), math.sqrt(media_weight), out=block_bd[:, text_d:])
        joint_nd[part] = block_bd
    return joint_nd


def cosine_to(
    matrix_nd: NDArray[np.float32], centroids_kd: NDArray[np.float32], cluster_n: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(n,) cosine similarity of each row to its cluster's centroid."""
    units_kd = normalised(centroids_kd)
    similarity_n = np.empty(len(matrix_nd), dtype=np.float32)
    for start in range(0, len(matrix_nd), BLOCK_ROWS):  # a bound on the gathered copy of the centroids
        block = slice(start, start + BLOCK_ROWS)
        similarity_n[block] = np.einsum("nd,nd->n", normalised(matrix_nd[block]), units_kd[cluster_n[block]])
    return similarity_n


def cluster_directions(
    rows_nd: NDArray[np.float32], cluster_n: NDArray[np.int64], clusters: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(k, d) sums of each cluster's rows, which point where their mean does; ``clusters`` is sorted."""
    sums_kd = np.zeros((len(clusters), rows_nd.shape[1]), dtype=np.float32)
    known_n = np.isin(cluster_n, clusters)
    np.add.at(sums_kd, np.searchsorted(clusters, cluster_n[known_n]), rows_nd[known_n])
    return sums_kd
