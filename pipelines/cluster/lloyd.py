"""Lloyd's iterations for k-means, the same to the last bit whatever the blocks, the threads, the BLAS or the device.

Which centroid is nearest float32 products decide where they can: their largest possible error is known, and what is
closer than that is compared again in float64, and what is closer than that can tell by exact sums, which are rounded
once. So whoever decides, it is what exact sums say. Sums are kept in float64, and follow the rows that change cluster.

A row that is far nearer to its centroid than to any other stays where it is until centroids have moved as far as that
(Hamerly, Making k-means even faster, SDM 2010): it is left out of the product, and the result is that of plain k-means.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipelines.artifacts.matrix import Matrix
from pipelines.blas import blas_threads, limit_blas, one_blas_thread
from pipelines.cluster.exact import TERMS, expansions, rounded_sums
from pipelines.cluster.products import NUMPY, PRODUCT_ROWS, PRODUCT_SCORES, Held, Products

BLOCK_ROWS = 2_048  # that a thread takes at a time
_NEARLY_ALL = 0.9  # rows, which are not worth a copy without the others
_SUMMED_ROWS = 4_096  # at least in a sum
_SUMS_AT_ONCE = 8  # that may be made, or wait to be added up
_SUMS_BYTES = 2**30  # that these may take, but for one of them
_UNIT, _LEAST = 2.0**-24, 2.0**-149  # float32: largest relative error of rounding, smallest positive number
_UNIT_64 = 2.0**-53  # float64: largest relative error of rounding
_NORMAL, _MOST = 2.0**-126, 2.0**127  # the smallest that no device takes for 0, and about the largest
_SPLIT = 1 / 1024  # by how much the halves of a cluster that is split start apart, as in faiss


Map = Callable[..., Iterable[Any]]


@contextmanager
def in_threads() -> Iterator[Map]:
    """A ``map`` whose calls are made by as many threads as BLAS has, each of which has BLAS to itself.

    BLAS and OpenMP divide every product among their threads, which wait for one another, busily, after each: beside
    other work, or another library's threads, they mostly wait. Here a thread is done with a block before it takes the
    next. Within it there is one thread.
    """
    threads = blas_threads()
    with one_blas_thread():
        if threads == 1:
            yield map
            return
        pool = ThreadPoolExecutor(threads, initializer=limit_blas)  # with OpenMP it is a thread's own
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)


class Centroids:
    """Centroids ``(k, d)``, and which of them is nearest to a row.

    The nearest has the highest score, of equal ones the first: the inner product, less half the square of its length
    unless centroids are directions; the exact sum, rounded to float64.

    Args:
        centroids_kd: The centroids.
        spherical: Whether they are directions.
        products: Where rows are compared with them.
    """

    def __init__(self, centroids_kd: NDArray[np.float32], spherical: bool, products: Products = NUMPY) -> None:
        self.centroids_kd = centroids_kd
        self.spherical = spherical
        self.products = products
        self._exact_kd = centroids_kd.astype(np.float64)
        square_k = np.einsum("kd,kd->k", self._exact_kd, self._exact_kd)
        self._half_k = np.zeros(len(centroids_kd)) if spherical else square_k / 2
        self._length_k = np.sqrt(square_k)
        self._length, self._half = float(self._length_k.max()), float(self._half_k.max())
        with np.errstate(over="ignore"):
            self._minus_k = None if spherical else products.hold(self._half_k.astype(np.float32))
        self._held_kd = products.hold(centroids_kd)

    def nearest(self, rows_nd: Held, length_n: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest centroid of each row, and by how much its score is higher than the next, at least.

        Args:
            rows_nd: (n, d) rows, held by the products.
            length_n: (n,) their lengths.
        """
        label_n, lead_n = np.empty(len(rows_nd), dtype=np.int64), np.empty(len(rows_nd))
        step = min(BLOCK_ROWS * self.products.blocks, self.products.rows_at_once(len(self.centroids_kd)))
        for start in range(0, len(rows_nd), step):
            part = slice(start, start + step)
            label_n[part], lead_n[part] = self._nearest(rows_nd[part], length_n[part])
        return label_n, lead_n

    @np.errstate(over="ignore", invalid="ignore")
    def _nearest(self, rows_nd: Held, length_n: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        label_n, best_n, next_n = self.products.two_best(rows_nd, self._held_kd, self._minus_k)
        dimensions = rows_nd.shape[1]
        largest_n = length_n * self._length + self._half  # that a score, or a part of its sum, can be
        lost_n = _NORMAL * (length_n + self._length + 1)  # where a factor, or a product, was taken for 0
        error_n = (dimensions + 2) * (_UNIT * largest_n + lost_n)
        lead_n = best_n.astype(np.float64) - next_n - 2 * error_n
        lead_n[largest_n > _MOST] = 0  # where float32 may have overflown
        close = np.flatnonzero(lead_n <= 0)
        step = max(1, PRODUCT_SCORES // max(len(self.centroids_kd), dimensions))
        for start in range(0, len(close), step):
            part = close[start : start + step]
            row_cd = self.products.fetch(self.products.take(rows_nd, part)).astype(np.float64)
            label_n[part] = self._nearest_in_float64(row_cd, length_n[part])
        return label_n, lead_n

    def _nearest_in_float64(self, row_cd: NDArray[np.float64], length_c: NDArray[np.float64]) -> NDArray[np.int64]:
        """(c,) the nearest centroids of rows ``(c, d)`` of these lengths."""
        score_ck = row_cd @ self._exact_kd.T - self._half_k
        # What each addition can round away, also that of the half, of the exact sum, and of these comparisons. Products
        # of float32 numbers are exact.
        error = (row_cd.shape[1] + 4) * _UNIT_64
        error_ck = error * (np.outer(length_c, self._length_k) + self._half_k)
        near_ck = score_ck + error_ck >= (score_ck - error_ck).max(axis=1, keepdims=True)
        near_ck &= self._is_first_k
        several_c = np.count_nonzero(near_ck, axis=1) > 1
        if several_c.any():
            near_ck[several_c] = self._have_the_highest_sums(row_cd[several_c], near_ck[several_c])
        return np.asarray(near_ck.argmax(axis=1))

    def _have_the_highest_sums(self, row_cd: NDArray[np.float64], near_ck: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(c, k) which of the centroids that are near to rows ``(c, d)`` have the highest scores."""
        width = np.count_nonzero(row_cd, axis=1).max(initial=1)
        column_ct = np.argsort(row_cd == 0, axis=1, kind="stable")[:, :width]  # those that are not 0, and maybe others
        value_ct = np.take_along_axis(row_cd, column_ct, axis=1)
        row_p, centroid_p = np.nonzero(near_ck)
        score_ck = np.full(near_ck.shape, -np.inf)
        step = max(1, TERMS // width)
        for start in range(0, len(row_p), step):
            row_b, centroid_b = row_p[start : start + step], centroid_p[start : start + step]
            product_bt = value_ct[row_b] * self._exact_kd[centroid_b[:, None], column_ct[row_b]]
            terms_tb = np.concatenate([product_bt.T, self._minus_halves_mk[:, centroid_b]])
            score_ck[row_b, centroid_b] = rounded_sums(terms_tb)
        return np.asarray(score_ck == score_ck.max(axis=1, keepdims=True))

    @cached_property
    def _minus_halves_mk(self) -> NDArray[np.float64]:
        """(m, k) terms whose exact sums are half the squares of lengths, less than 0; 0 for directions."""
        k, dimensions = self._exact_kd.shape
        step = max(1, TERMS // dimensions)
        points = [] if self.spherical else [self._exact_kd[start : start + step] for start in range(0, k, step)]
        halves = [expansions((point_bd**2 / -2).T) for point_bd in points]
        minus_halves_mk = np.zeros((max([1, *map(len, halves)]), k))
        for number, halves_mb in enumerate(halves):
            minus_halves_mk[: len(halves_mb), number * step : (number + 1) * step] = halves_mb
        return minus_halves_mk

    @cached_property
    def _is_first_k(self) -> NDArray[np.bool_]:
        """(k,) whether no centroid before it is the same."""
        first_of = {point_d.tobytes(): number for number, point_d in reversed(list(enumerate(self.centroids_kd)))}
        is_first_k = np.zeros(len(self.centroids_kd), dtype=np.bool_)
        is_first_k[list(first_of.values())] = True
        return is_first_k

    def drift_from(self, other: "Centroids") -> NDArray[np.float64]:
        """(k,) by how much a score can have changed, per unit of a row's reach, see `reach`."""
        moved_kd = self._exact_kd - other._exact_kd
        square_k = np.einsum("kd,kd->k", moved_kd, moved_kd) + (self._half_k - other._half_k) ** 2
        return np.asarray(np.sqrt(square_k))

    def reach(self, length_n: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) the lengths of rows, with the 1 that half the squares are multiplied by as one more coordinate."""
        return np.maximum(length_n, _LEAST) if self.spherical else np.sqrt(length_n**2 + 1)


class Clusters:
    """The clusters of m rows, as they are found.

    Args:
        start: The first centroids.
        rows: m.
    """

    def __init__(self, start: Centroids, rows: int) -> None:
        self.centroids = start
        self.settled = False
        self._label_m = np.full(rows, -1, dtype=np.int32)
        self._summed_m = self._label_m.copy()  # the clusters whose sums rows are in
        self._lead_m = np.zeros(rows)  # of their centroids, per unit of reach
        self._sum_kd = np.zeros(start.centroids_kd.shape)

    def assign(self, part: slice, rows_nd: Held, length_n: NDArray[np.float64]) -> None:
        """Find the nearest centroids of the rows of a part, held by the products; parts may be assigned at once."""
        open_n = self._lead_m[part] <= 0
        if open_n.mean() < _NEARLY_ALL:
            rows_nd, length_n = self.centroids.products.take(rows_nd, open_n), length_n[open_n]
        else:
            open_n[:] = True
        label_n, lead_n = self.centroids.nearest(rows_nd, length_n)
        self._label_m[part][open_n] = label_n
        self._lead_m[part][open_n] = lead_n / self.centroids.reach(length_n)

    def move(self, rows_md: Matrix, length_m: NDArray[np.float64], each: Map) -> None:
        """Move the centroids to the means of their rows, when all are assigned; a cluster without rows gets some."""
        changed = np.flatnonzero(self._label_m != self._summed_m)
        self.settled = not len(changed)
        if self.settled:
            return
        k, before = len(self._sum_kd), self.centroids

        def gained(start: int) -> NDArray[np.float64]:
            part = changed[start : start + step]
            rows_pd = rows_md[part].astype(np.float64)
            if before.spherical:
                rows_pd /= np.maximum(length_m[part, None], _LEAST)
            gained_kd = _sums(rows_pd, self._label_m[part], k)
            if self._summed_m[0] >= 0:
                gained_kd -= _sums(rows_pd, self._summed_m[part], k)
            return gained_kd

        step = max(_SUMMED_ROWS, k)
        together = step * _sums_at_once(k, rows_md.shape[1])
        for start in range(0, len(changed), together):
            for gained_kd in each(gained, range(start, min(start + together, len(changed)), step)):
                self._sum_kd += gained_kd
        self._summed_m[:] = self._label_m
        size_k = np.bincount(self._label_m, minlength=k)
        mean_kd = _means(self._sum_kd, size_k, before.spherical)
        self.centroids = Centroids(mean_kd, before.spherical, before.products)
        drift_k = self.centroids.drift_from(before)
        largest = int(drift_k.argmax())
        of_others_k = np.full(k, drift_k[largest])
        of_others_k[largest] = np.delete(drift_k, largest).max(initial=0)
        self._lead_m -= (drift_k + of_others_k)[self._label_m]


def bytes_of(k: int, dimension: int, seeds: int = 1) -> int:
    """Bytes that the fits of k centroids for several seeds hold at the most, beside what they hold of each row."""
    # Sums and centroids of each seed; the centroids that one moves to; the sums that move it; each thread's scores, and
    # what it compares again: rows, scores, errors and pairs, each of 8 bytes, some twice.
    elements = k * dimension * (20 * seeds + 40 + 24 * _sums_at_once(k, dimension))
    scores = max(PRODUCT_ROWS * k, PRODUCT_SCORES) * 4 + max(PRODUCT_SCORES, k, dimension) * 96
    return elements + blas_threads() * scores


def _sums_at_once(k: int, dimension: int) -> int:
    """How many sums may be made at a time: of what is gained, what is lost, and the rows, in float64."""
    return max(1, min(_SUMS_AT_ONCE, _SUMS_BYTES // max(1, 24 * k * dimension)))


def _sums(rows_pd: NDArray[np.float64], label_p: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    """(k, d) sums of the rows of each cluster."""
    member_pk = csr_array((np.ones(len(label_p)), label_p, np.arange(len(label_p) + 1)), shape=(len(label_p), k))
    return np.asarray(member_pk.T @ rows_pd)


def _means(sum_kd: NDArray[np.float64], size_k: NDArray[np.int64], spherical: bool) -> NDArray[np.float32]:
    """(k, d) means, or mean directions; where there are no rows, half of the largest cluster, which is split."""
    length_k = np.linalg.norm(sum_kd, axis=1) if spherical else size_k
    mean_kd = sum_kd / np.maximum(length_k, _LEAST)[:, None]
    size_k = size_k.copy()
    sides_d = np.where(np.arange(sum_kd.shape[1]) % 2, 1 - _SPLIT, 1 + _SPLIT)
    for empty in np.flatnonzero(size_k == 0):
        largest = int(size_k.argmax())
        mean_kd[empty], mean_kd[largest] = mean_kd[largest] * sides_d, mean_kd[largest] * (2 - sides_d)
        size_k[empty] = size_k[largest] // 2
        size_k[largest] -= size_k[empty]
    if spherical:
        mean_kd /= np.maximum(np.linalg.norm(mean_kd, axis=1, keepdims=True), _LEAST)
    return mean_kd.astype(np.float32)
