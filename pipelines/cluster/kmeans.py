"""k-means with faiss."""

import numpy as np
from numpy.typing import NDArray

from pipelines.cluster.clustering import Clustering
from pipelines.errors import InputError


def kmeans(
    matrix_nd: NDArray[np.float32],
    fitted_n: NDArray[np.bool_],
    *,
    k: int,
    seed: int = 0,
    niter: int = 20,
    spherical: bool = True,
    max_points_per_centroid: int | None = None,
) -> Clustering:
    """Cluster rows with k-means, fitted on some of them, every row assigned to its nearest centroid.

    Args:
        matrix_nd: (n, d) vectors.
        fitted_n: (n,) which rows to fit on.
        k: Number of centroids.
        seed: Seed of the initial centroids.
        niter: Iterations.
        spherical: Normalise rows and centroids, so that the nearest centroid is that of the highest cosine similarity.
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all rows if None. (faiss by
            itself would take 256.)

    Raises:
        InputError: k is larger than the number of distinct rows to fit on.
    """
    import faiss

    rows_nd = normalised(matrix_nd) if spherical else np.ascontiguousarray(matrix_nd)
    training_nd = np.ascontiguousarray(rows_nd[fitted_n])
    _require_distinct(training_nd, k)
    model = faiss.Kmeans(
        rows_nd.shape[1],
        k,
        niter=niter,
        seed=seed,
        spherical=spherical,
        min_points_per_centroid=1,
        max_points_per_centroid=max_points_per_centroid or len(training_nd),
    )
    model.train(training_nd)
    _, nearest_n1 = model.index.search(rows_nd, 1)
    cluster_n = nearest_n1[:, 0].astype(np.int64)
    return Clustering(cluster_n, cosine_to(rows_nd, np.asarray(model.centroids), cluster_n))


def normalised(matrix_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a zero row stays zero."""
    norm_n1 = np.linalg.norm(matrix_nd, axis=1, keepdims=True)
    return np.ascontiguousarray(matrix_nd / np.maximum(norm_n1, np.finfo(np.float32).tiny))


def cosine_to(
    matrix_nd: NDArray[np.float32], centroids_kd: NDArray[np.float32], cluster_n: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(n,) cosine similarity of each row to its cluster's centroid."""
    units_kd = normalised(centroids_kd)
    similarity_n = np.empty(len(matrix_nd), dtype=np.float32)
    for start in range(0, len(matrix_nd), 65_536):  # a bound on the gathered copy of the centroids
        block = slice(start, start + 65_536)
        similarity_n[block] = np.einsum("nd,nd->n", normalised(matrix_nd[block]), units_kd[cluster_n[block]])
    return similarity_n


def _require_distinct(matrix_nd: NDArray[np.float32], k: int) -> None:
    if k < 1:
        raise InputError(f"--k {k}: expected at least 1")
    distinct: set[bytes] = set()
    for row_d in matrix_nd:
        distinct.add(row_d.tobytes())
        if len(distinct) >= k:
            return
    raise InputError(
        f"--k {k}: the {len(matrix_nd)} rows to fit on hold only {len(distinct)} distinct points; "
        f"the largest k is {len(distinct)}"
    )
