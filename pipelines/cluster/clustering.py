"""A clustering of samples, and the figures that describe its tail."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import NOISE, gini, gini_of_samples, noise_apart


@dataclass(frozen=True)
class Clustering:
    """Which cluster each of n samples belongs to.

    Attributes:
        cluster_n: (n,) int64 cluster of each sample; -1 is noise.
        similarity_n: (n,) cosine similarity to the cluster's centroid, NaN for noise; None where clusters have no
            centroids.
        size_n: (n,) training samples of each sample's cluster, where the method counts them itself, as where clusters
            overlap; None where they are those of its number.
        figures: What else the method has to tell.
    """

    cluster_n: NDArray[np.int64]
    similarity_n: NDArray[np.float32] | None = None
    size_n: NDArray[np.int64] | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def take(self, rows: NDArray[np.int64]) -> "Clustering":
        """The clustering of other samples, of which sample i has what row ``rows[i]`` has here."""
        return replace(
            self,
            cluster_n=self.cluster_n[rows],
            similarity_n=None if self.similarity_n is None else self.similarity_n[rows],
            size_n=None if self.size_n is None else self.size_n[rows],
        )

    def sizes(self, fitted_n: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(n,) training samples of each sample's cluster."""
        return fitted_sizes(self.cluster_n, fitted_n) if self.size_n is None else self.size_n

    def describe(self, fitted_n: NDArray[np.bool_]) -> dict[str, Any]:
        """Describe its tail: `describe_sizes`, or `describe_overlapping`, and the method's figures."""
        if self.size_n is None:
            return describe_sizes(self.cluster_n, fitted_n) | self.figures
        return describe_overlapping(self.size_n[fitted_n]) | self.figures


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


def describe_overlapping(size_n: NDArray[np.int64]) -> dict[str, Any]:
    """Describe the sizes ``(n,)`` of clusters that each have one of n fitted samples as their centre.

    Returns:
        ``largest``, ``smallest``, and what the same sizes would be of clusters that don't overlap, in which each of a
        cluster's n samples is 1/n of it: ``effective_clusters``, their number, and ``gini``, see `gini_of_samples`.
    """
    return {
        "largest": int(size_n.max()),
        "smallest": int(size_n.min()),
        "effective_clusters": float((1 / size_n).sum()),
        "gini": gini_of_samples(size_n),
    }
