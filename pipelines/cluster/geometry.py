"""Directions of vectors, and similarities to centroids."""

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Rows(Protocol):
    """A matrix ``[n, d]`` of floating-point numbers of any precision, in memory or on the disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, d)``."""

    def __len__(self) -> int:
        """Rows."""

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        """Some rows: a slice, or their numbers."""


def normalised(matrix_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a zero row stays zero."""
    norm_n1 = np.linalg.norm(matrix_nd, axis=1, keepdims=True)
    return np.ascontiguousarray(matrix_nd / np.maximum(norm_n1, np.finfo(np.float32).tiny))


def joined(
    text_md: NDArray[np.float32],
    text_rows: NDArray[np.int64],
    media_md: NDArray[np.float32],
    media_rows: NDArray[np.int64],
    media_weight: float,
) -> NDArray[np.float32]:
    """Vectors of text and medium in one, of unit length.

    The cosine of two of them is ``(1 - media_weight)`` times that of their texts plus ``media_weight`` times that of
    their media.

    Args:
        text_md: Vectors of texts.
        text_rows: (n,) which of them each sample has.
        media_md: Vectors of media.
        media_rows: (n,) which of them each sample has.
        media_weight: Share of the media, 0 to 1.

    Returns:
        (n, d) the samples' vectors, d being the dimensions of text and media together.
    """
    joint_nd = np.empty((len(text_rows), text_md.shape[1] + media_md.shape[1]), dtype=np.float32)
    np.multiply(normalised(text_md)[text_rows], math.sqrt(1 - media_weight), out=joint_nd[:, : text_md.shape[1]])
    np.multiply(normalised(media_md)[media_rows], math.sqrt(media_weight), out=joint_nd[:, text_md.shape[1] :])
    return joint_nd


def cosine_to(matrix_nd: Rows, centroids_kd: NDArray[np.float32], cluster_n: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n,) cosine similarity of each row to its cluster's centroid."""
    units_kd = normalised(centroids_kd)
    similarity_n = np.empty(len(matrix_nd), dtype=np.float32)
    for start in range(0, len(matrix_nd), 65_536):  # a bound on the gathered copy of the centroids
        block = slice(start, start + 65_536)
        similarity_n[block] = np.einsum(
            "nd,nd->n", normalised(matrix_nd[block].astype(np.float32, copy=False)), units_kd[cluster_n[block]]
        )
    return similarity_n


def cluster_directions(
    rows_nd: NDArray[np.float32], cluster_n: NDArray[np.int64], clusters: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(k, d) sums of each cluster's rows, which point where their mean does; ``clusters`` is sorted."""
    sums_kd = np.zeros((len(clusters), rows_nd.shape[1]), dtype=np.float32)
    known_n = np.isin(cluster_n, clusters)
    np.add.at(sums_kd, np.searchsorted(clusters, cluster_n[known_n]), rows_nd[known_n])
    return sums_kd
