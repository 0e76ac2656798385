"""HDBSCAN on UMAP's projection."""

import warnings

import numpy as np
from numpy.typing import NDArray

from pipelines.cluster.clustering import Clustering
from pipelines.cluster.kmeans import cosine_to, normalised
from pipelines.errors import InputError

NOISE_RULES = ("separate", "nearest", "own")


def hdbscan(
    matrix_nd: NDArray[np.float32],
    fitted_n: NDArray[np.bool_],
    *,
    umap_dims: int = 15,
    umap_neighbors: int = 15,
    min_cluster_size: int = 15,
    noise: str = "separate",
    seed: int = 0,
) -> Clustering:
    """Cluster rows by density: UMAP to ``umap_dims`` dimensions (cosine), then HDBSCAN; other rows are predicted.

    Args:
        matrix_nd: (n, d) vectors.
        fitted_n: (n,) which rows to fit on.
        umap_dims: Dimensions after UMAP; 0 clusters the normalised vectors themselves.
        umap_neighbors: Neighbours UMAP looks at.
        min_cluster_size: The smallest group HDBSCAN calls a cluster.
        noise: What becomes of rows in no cluster: ``separate`` keeps them together as cluster -1, ``nearest`` gives
            them to the cluster whose mean vector is most similar, ``own`` makes each a cluster of one.
        seed: Seed of UMAP, which then runs on one thread.

    Raises:
        InputError: An option is out of range, or there are too few rows.
    """
    fitted_count = int(fitted_n.sum())
    if noise not in NOISE_RULES:
        raise InputError(f"--noise {noise}: expected one of {', '.join(NOISE_RULES)}")
    if min_cluster_size < 2:
        raise InputError(f"--min-cluster-size {min_cluster_size}: expected at least 2")
    if umap_dims < 0:
        raise InputError(f"--umap-dims {umap_dims}: expected at least 0")
    if umap_dims and umap_neighbors < 2:
        raise InputError(f"--umap-neighbors {umap_neighbors}: expected at least 2")
    if fitted_count <= max(min_cluster_size, *((umap_dims + 1, umap_neighbors) if umap_dims else (0,))):
        options = f"--umap-dims {umap_dims}, --umap-neighbors {umap_neighbors} and " if umap_dims else ""
        raise InputError(
            f"{fitted_count} rows to fit on are too few for {options}--min-cluster-size {min_cluster_size}"
        )
    import hdbscan as density

    rows_nd = normalised(matrix_nd)
    cluster_n = np.empty(len(rows_nd), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and scikit-learn's notes to developers
        projected_nd = _project(rows_nd, fitted_n, umap_dims, umap_neighbors, seed) if umap_dims else rows_nd
        model = density.HDBSCAN(min_cluster_size=min_cluster_size, prediction_data=True, core_dist_n_jobs=1)
        cluster_n[fitted_n] = model.fit_predict(projected_nd[fitted_n].astype(np.float64))
        if not fitted_n.all():
            predicted, _ = density.approximate_predict(model, projected_nd[~fitted_n].astype(np.float64))
            cluster_n[~fitted_n] = predicted
    return resolve_noise(rows_nd, cluster_n, fitted_n, noise)


def resolve_noise(
    rows_nd: NDArray[np.float32], cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_], rule: str
) -> Clustering:
    """Apply a noise rule and give each row its similarity to its cluster's mean vector.

    Raises:
        InputError: Everything is noise.
    """
    cluster_n = cluster_n.copy()
    noise_n = cluster_n == -1
    clusters = np.unique(cluster_n[~noise_n & fitted_n])
    if not len(clusters):
        raise InputError("hdbscan found no cluster, every row is noise; lower --min-cluster-size")
    if rule == "own":
        cluster_n[noise_n] = (clusters.max(initial=-1) + 1) + np.arange(noise_n.sum())
    elif rule == "nearest" and noise_n.any():
        centroids_kd = _means(rows_nd[fitted_n], cluster_n[fitted_n], clusters)
        cluster_n[noise_n] = clusters[(rows_nd[noise_n] @ normalised(centroids_kd).T).argmax(axis=1)]
    every, dense_n = np.unique(cluster_n, return_inverse=True)
    centroids_kd = _means(rows_nd, cluster_n, every)
    return Clustering(cluster_n, cosine_to(rows_nd, centroids_kd, dense_n))


def _project(
    rows_nd: NDArray[np.float32], fitted_n: NDArray[np.bool_], dims: int, neighbors: int, seed: int
) -> NDArray[np.float32]:
    import umap

    reducer = umap.UMAP(
        n_components=dims, n_neighbors=neighbors, min_dist=0.0, metric="cosine", random_state=seed, n_jobs=1
    )
    projected_nd = np.empty((len(rows_nd), dims), dtype=np.float32)
    projected_nd[fitted_n] = reducer.fit_transform(rows_nd[fitted_n])
    if not fitted_n.all():
        projected_nd[~fitted_n] = reducer.transform(rows_nd[~fitted_n])
    return projected_nd


def _means(
    rows_nd: NDArray[np.float32], cluster_n: NDArray[np.int64], clusters: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(k, d) sums of each cluster's rows: the direction of their mean."""
    sums_kd = np.zeros((len(clusters), rows_nd.shape[1]), dtype=np.float32)
    known_n = np.isin(cluster_n, clusters)
    np.add.at(sums_kd, np.searchsorted(clusters, cluster_n[known_n]), rows_nd[known_n])
    return sums_kd
