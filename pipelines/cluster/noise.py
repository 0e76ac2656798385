"""What becomes of rows that a density clustering leaves in no cluster."""

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import NOISE, noise_apart
from pipelines.cluster.clustering import Clustering
from pipelines.cluster.geometry import cluster_directions, cosine_to, normalised
from pipelines.errors import InputError


def resolve_noise(
    rows_nd: NDArray[np.float32], cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_], rule: str
) -> Clustering:
    """Apply a noise rule and give each row its similarity to its cluster's mean vector.

    Args:
        rows_nd: (n, d) vectors of unit length.
        cluster_n: (n,) clusters; -1 is noise.
        fitted_n: (n,) which rows were fitted on: a row joins the nearest mean of these.
        rule: ``separate``, ``nearest`` or ``own``, see `hdbscan`.

    Raises:
        InputError: Everything is noise.
    """
    cluster_n = cluster_n.copy()
    noise_n = cluster_n == NOISE
    clusters = np.unique(cluster_n[~noise_n & fitted_n])
    if not len(clusters):
        raise InputError("hdbscan found no cluster, every row is noise; lower --min-cluster-size")
    if rule == "own":
        cluster_n = noise_apart(cluster_n)
    elif rule == "nearest" and noise_n.any():
        centroids_kd = cluster_directions(rows_nd[fitted_n], cluster_n[fitted_n], clusters)
        cluster_n[noise_n] = clusters[(rows_nd[noise_n] @ normalised(centroids_kd).T).argmax(axis=1)]
    every, dense_n = np.unique(cluster_n, return_inverse=True)
    centroids_kd = cluster_directions(rows_nd, cluster_n, every)
    similarity_n = cosine_to(rows_nd, centroids_kd, dense_n)
    similarity_n[cluster_n == NOISE] = np.nan  # there is no centroid that they belong to
    return Clustering(cluster_n, similarity_n)
