"""k-means in two levels: coarse clusters, and clusters within each of them."""

import heapq
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.matrix import Matrix
from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.lloyd import in_threads


def fit_two_levels(rows_md: Matrix, k: int, seed: int, centroids: CentroidFit) -> NDArray[np.float32]:
    """Fit about sqrt(k) coarse clusters, and within each its share of the k clusters, in proportion to its rows.

    An iteration compares a row with about sqrt(k) centroids in place of k. A last one compares it with all: where rows
    that belong together lie across the border of two coarse clusters, they have centroids in either.

    Args:
        rows_md: (m, d) rows, at least k of them distinct.
        k: Number of centroids.
        seed: Seed of the initial centroids.
        centroids: How they are fitted, on either level.

    Returns:
        (k, d) centroids.
    """
    coarse = round(k**0.5)
    bound = centroids.max_points_per_centroid
    coarse_cd = replace(centroids, max_points_per_centroid=bound and bound * k // coarse).fit(rows_md, coarse, seed)
    coarse_m = centroids.nearest(rows_md, coarse_cd)
    members = [np.flatnonzero(coarse_m == each) for each in np.unique(coarse_m)]
    distinct = [centroids.count_distinct(rows_md[rows]) for rows in members]
    shares = apportion(k, [len(rows) for rows in members], distinct)

    def fit(rows: NDArray[np.int64], share: int) -> NDArray[np.float32]:
        return centroids.fit(rows_md[rows], share, seed)

    with in_threads() as each_of:  # each has a thread to itself: dividing so small a problem takes longer
        fine_kd = np.concatenate(list(each_of(fit, members, shares)))
    return replace(centroids, niter=1).fit(rows_md, k, seed, fine_kd)


def apportion(seats: int, sizes: list[int], most: list[int]) -> list[int]:
    """Divide seats among parties in proportion to their sizes (Sainte-Laguë's method), at least 1 to each.

    Args:
        seats: How many; no fewer than parties, and no more than ``most`` allows in all.
        sizes: Size of each party.
        most: How many seats each can take.
    """
    shares = [1] * len(sizes)
    waiting = [(-size / 3, party) for party, size in enumerate(sizes)]
    heapq.heapify(waiting)
    for _ in range(seats - len(sizes)):
        while shares[waiting[0][1]] == most[waiting[0][1]]:
            heapq.heappop(waiting)
        party = waiting[0][1]
        shares[party] += 1
        heapq.heapreplace(waiting, (-sizes[party] / (2 * shares[party] + 1), party))
    return shares
