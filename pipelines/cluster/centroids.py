"""Centroids by k-means, and the nearest of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.matrix import Matrix
from pipelines.cluster.duplicates import count_distinct
from pipelines.cluster.geometry import normalised
from pipelines.cluster.lloyd import BLOCK_ROWS, Centroids, Clusters, in_threads
from pipelines.cluster.products import products_on


@dataclass(frozen=True)
class CentroidFit:
    """How centroids are fitted.

    Attributes:
        niter: Iterations, at most: fewer where no row changes cluster any more.
        spherical: Whether centroids are directions, the nearest being that of the highest cosine similarity.
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all if None.
        device: Where rows are compared with centroids, see `products_on`; the result is the same.
    """

    niter: int
    spherical: bool
    max_points_per_centroid: int | None = None
    device: str = "cpu"

    def fit(
        self, rows_md: Matrix, k: int, seed: int, start_kd: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """(k, d) centroids of rows, at least k of which are distinct; from distinct rows, or from given centroids."""
        if self.max_points_per_centroid and len(rows_md) > k * self.max_points_per_centroid:
            sample = np.random.default_rng(seed).permutation(len(rows_md))[: k * self.max_points_per_centroid]
            rows_md = rows_md[np.sort(sample)]
        return self._fit(rows_md, [self._start(rows_md, k, seed) if start_kd is None else start_kd])[0]

    def fit_seeds(self, rows_md: Matrix, k: int, seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """What `fit` gives for each seed; those that are fitted on all rows share each pass over them."""
        if self.max_points_per_centroid and len(rows_md) > k * self.max_points_per_centroid:
            return [self.fit(rows_md, k, seed) for seed in seeds]
        return self._fit(rows_md, [self._start(rows_md, k, seed) for seed in seeds])

    def nearest(self, rows_nd: Matrix, centroids_kd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the centroid nearest to each row; of several that are equally near the first."""
        return nearest_of(Centroids(centroids_kd, self.spherical, products_on(self.device)), rows_nd)

    def count_distinct(self, rows_nd: Matrix, stop: int | None = None) -> int:
        """The number of distinct rows, or directions; counting ends at ``stop``."""
        return count_distinct((row_d for part in _blocks(rows_nd) for row_d in self._points(rows_nd[part])), stop=stop)

    def _points(self, rows_nd: NDArray[np.float32]) -> NDArray[np.float32]:
        return normalised(rows_nd) if self.spherical else rows_nd

    def _start(self, rows_md: Matrix, k: int, seed: int) -> NDArray[np.float32]:
        """(k, d) rows drawn at random, distinct as long as there are such."""
        drawn = drawn_rows(len(rows_md), seed)
        first_of: dict[bytes, int] = {}
        others: list[int] = []
        while len(first_of) < k and (part := list(islice(drawn, k))):
            for number, row_d in zip(part, self._points(rows_md[np.array(part)]), strict=True):
                if first_of.setdefault(row_d.tobytes(), number) != number:
                    others.append(number)
        return self._points(rows_md[np.array([*first_of.values(), *others][:k])])

    def _fit(self, rows_md: Matrix, starts: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Lloyd's iterations from several starts, which share each pass over the rows."""
        products = products_on(self.device)
        found = moving = [Clusters(Centroids(start_kd, self.spherical, products), len(rows_md)) for start_kd in starts]
        held_md, length_m = products.hold(rows_md), np.empty(len(rows_md))

        def measure(part: slice) -> None:
            length_m[part] = _lengths(rows_md[part])

        def assign(part: slice) -> None:
            block_nd = held_md[part]
            for clusters in moving:
                clusters.assign(part, block_nd, length_m[part])

        with products.in_float32(), in_threads() as each:
            for _ in each(measure, _blocks(rows_md)):
                pass
            for _ in range(self.niter):
                for _ in each(assign, _blocks(rows_md, products.blocks)):
                    pass
                for clusters in moving:
                    clusters.move(rows_md, length_m, each)
                if not (moving := [clusters for clusters in moving if not clusters.settled]):
                    break
        return [clusters.centroids.centroids_kd for clusters in found]


def nearest_of(centroids: Centroids, rows_nd: Matrix) -> NDArray[np.int64]:
    """(n,) the centroid nearest to each row ``(n, d)``; of several that are equally near the first."""
    products, nearest_n = centroids.products, np.empty(len(rows_nd), dtype=np.int64)

    def assign(part: slice) -> None:
        block_nd = rows_nd[part]
        nearest_n[part] = centroids.nearest(products.hold(block_nd), _lengths(block_nd))[0]

    with products.in_float32(), in_threads() as each:
        for _ in each(assign, _blocks(rows_nd, products.blocks)):
            pass
    return nearest_n


def _blocks(rows_nd: Matrix, together: int = 1) -> list[slice]:
    step = BLOCK_ROWS * together
    return [slice(start, start + step) for start in range(0, len(rows_nd), step)]


def _lengths(rows_nd: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(rows_nd.astype(np.float64), axis=1))


def drawn_rows(rows: int, seed: int) -> Iterator[int]:
    """The numbers of all rows in random order, the same as faiss's k-means draws its initial centroids in."""
    draws = np.random.RandomState(seed + 1)
    moved: dict[int, int] = {}  # of the shuffled numbers those that are not in their own place
    for place in range(rows):
        other = place + int(draws.randint(2**32, dtype=np.uint32)) % (rows - place)
        yield moved.get(other, other)
        moved[other] = moved.get(place, place)
