"""A clustering of samples, and the figures that describe its tail."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = -1


@dataclass(frozen=True)
class Clustering:
    """Which cluster each of n samples belongs to.

    Attributes:
        cluster_n: (n,) int64 cluster of each sample; -1 is noise.
        similarity_n: (n,) cosine similarity to the cluster's centroid, or None where clusters have none.
    """

    cluster_n: NDArray[np.int64]
    similarity_n: NDArray[np.float32] | None = None


def fitted_sizes(cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n,) number of fitted samples in each sample's cluster; 0 where no fitted sample is in it."""
    clusters, inverse = np.unique(cluster_n, return_inverse=True)
    counts = np.bincount(inverse[fitted_n], minlength=len(clusters))
    return counts[inverse].astype(np.int64)


def describe_sizes(cluster_n: NDArray[np.int64], fitted_n: NDArray[np.bool_]) -> dict[str, Any]:
    """Describe the distribution of fitted samples over clusters.

    Returns:
        ``clusters`` (k, those with fitted samples), ``largest``, ``smallest``, ``gini`` (0: all of one size), and
        ``top_tenth_share``: the share of fitted samples, 0-100, that the largest tenth of clusters holds (rounded up).
    """
    sizes = np.sort(np.unique(cluster_n[fitted_n], return_counts=True)[1])
    k, total = len(sizes), int(sizes.sum())
    rank = np.arange(1, k + 1)
    tenth = math.ceil(k / 10)
    return {
        "clusters": k,
        "largest": int(sizes[-1]),
        "smallest": int(sizes[0]),
        "gini": float((2 * rank - k - 1) @ sizes / (k * total)),
        "top_tenth_clusters": tenth,
        "top_tenth_share": float(100 * sizes[-tenth:].sum() / total),
    }
