"""A clustering of samples, and the figures that describe its tail."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import NOISE, gini, noise_apart


@dataclass(frozen=True)
class Clustering:
    """Which cluster each of n samples belongs to.

    Attributes:
        cluster_n: (n,) int64 cluster of each sample; -1 is noise.
        similarity_n: (n,) cosine similarity to the cluster's centroid, NaN for noise; None where clusters have no
            centroids.
    """

    cluster_n: NDArray[np.int64]
    similarity_n: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.int64]) -> "Clustering":
        """The clustering of other samples, of which sample i has what row ``rows[i]`` has here."""
        return Clustering(self.cluster_n[rows], None if self.similarity_n is None else self.similarity_n[rows])


def fitted_sizes(cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n,) number of fitted samples in each sample's cluster: 0 where no fitted sample is in it, 1 for noise."""
    clusters, inverse = np.unique(cluster_n, return_inverse=True)
    counts = np.bincount(inverse[fitted_n], minlength=len(clusters))
    counts[clusters == NOISE] = 1  # in no cluster, each is as rare as can be, however many they are
    return counts[inverse].astype(np.int64)


def describe_sizes(cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_]) -> dict[str, Any]:
    """Describe the distribution of fitted samples over clusters, each sample of noise being a cluster of one.

    Returns:
        ``clusters`` (those with fitted samples; noise is not counted), ``largest``, ``smallest``, ``gini`` (0: all of
        one size), and ``top_tenth_share``: the share of fitted samples, 0-100, that the largest tenth of clusters
        (``top_tenth_clusters`` of them, rounded up) holds.
    """
    sizes = np.sort(np.unique(noise_apart(cluster_n)[fitted_n], return_counts=True)[1])
    k, total = len(sizes), int(sizes.sum())
    tenth = math.ceil(k / 10)
    return {
        "clusters": k - int((cluster_n[fitted_n] == NOISE).sum()),
        "largest": int(sizes[-1]),
        "smallest": int(sizes[0]),
        "gini": gini(sizes),
        "top_tenth_clusters": tenth,
        "top_tenth_share": float(100 * sizes[-tenth:].sum() / total),
    }
