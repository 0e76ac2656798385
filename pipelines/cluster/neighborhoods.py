"""Neighborhoods of vectors of unit length: how near the k-th neighbor is, and how much lies within a similarity.

Both are the same to the last bit whatever the blocks, the threads, the BLAS or the device. What decides them are inner
products of rows that are rounded to 26 fractional bits: sums of such products are exact in float64, in any order.
float32 products leave the close calls alone to these.

Of many rows not all are looked at. They lie in cells, each around a centroid, as in an inverted file (Jégou et al.,
Product Quantization for Nearest Neighbor Search, PAMI 2011). A row looks through the cells whose centroids are similar
to it; how similar they need be is measured. Rows that look through the same cell share a matrix product.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.lloyd import Map, in_threads
from pipelines.cluster.products import Held, Products, products_on, rows_of_worker

# Up to how many fitted rows all similarities are computed: 50,000 x 50,000 of 384 dimensions take about half a minute.
EXACT_ROWS = 50_000
LEAST_RECALL = 0.95
# What vectors of one text may differ by, so that identical ones stay within any similarity.
_ROUNDING = 1e-5
_CELL_ROWS = 4_096  # of a cell, where there are no centroids
_FIT = CentroidFit(niter=8, spherical=True, max_points_per_centroid=64)
_BLOCK_VALUES = 2**20  # similarities that are made at a time, in each thread
_EXACT_PAIRS = 4_096  # that are compared at a time
_FEW = 1 / 16  # pairs that take no longer to compare in float64 than a product of all
_FINE, _COARSE = 2.0**26, 2.0**11  # products of rows of multiples of 1 / these are exact in float64, and in float32
_UNIT = 2.0**-24  # float32: largest relative error of rounding

_RowsT = TypeVar("_RowsT")


def kth_similarity(
    rows_nd: NDArray[np.float32], fitted: Iterable[NDArray[np.float32]], k: int, device: str = "cpu"
) -> NDArray[np.float64]:
    """(n,) similarity of each row to its k-th nearest fitted row, counted from 1.

    Args:
        rows_nd: (n, d) rows of unit length.
        fitted: The fitted rows, in parts ``(m, d)``.
        k: Which neighbor; at most as many as there are fitted rows.
        device: Where products are made, see `products_on`.
    """
    products, exact_nd = products_on(device), _rounded(rows_nd)
    held_nd, error = products.hold(rows_nd), _error(rows_nd.shape[1])
    most = max(1, _BLOCK_VALUES * products.blocks // len(rows_nd))
    nearest_nk, seen = np.full((len(rows_nd), k), -np.inf), 0
    for fitted_md in fitted:
        start = 0
        while start < len(fitted_md):
            part_pd = fitted_md[start : start + min(most, max(k, seen))]  # no more than seen: few of them are near
            low_n = (nearest_nk.min(axis=1) - error).astype(np.float32)
            with products.in_float32():
                row, member = products.above(held_nd, products.hold(part_pd), products.hold(low_n))
            if len(row) > _FEW * len(rows_nd) * len(part_pd):
                similarity_np = exact_nd @ _rounded(part_pd).T
            else:
                similarity_np = _side_by_side(row, _similarities(rows_nd, row, part_pd, member), len(rows_nd))
            nearest_nk = np.partition(np.hstack([nearest_nk, similarity_np]), -k, axis=1)[:, -k:]
            start, seen = start + len(part_pd), seen + len(part_pd)
    kth_n: NDArray[np.float64] = nearest_nk.min(axis=1)
    return kth_n


@dataclass(frozen=True)
class Neighborhoods:
    """What lies around rows, with a similarity of ``least`` or more; see `neighborhoods_of`.

    Attributes:
        fitted_md: (m, d) the rows that are looked for, cell by cell.
        count_m: (m,) how much each of these counts.
        first_c: (c + 1,) where each cell begins, and the end.
        least: Smallest similarity.
        device: Where products are made, see `products_on`; it holds the fitted rows.
        recall: How much of its neighborhood a row finds: 1 where it is exact.
        centroids_cd: (c, d) the centroids of the cells, see `_coarse`; None where rows look through all cells.
        reach: Similarity to its centroid from which a cell is looked through; the nearest is in any case.
    """

    fitted_md: NDArray[np.float32]
    count_m: NDArray[np.int64]
    first_c: NDArray[np.int64]
    least: float
    device: str = "cpu"
    recall: float = 1.0
    centroids_cd: NDArray[np.float32] | None = None
    reach: float = -np.inf

    @cached_property
    def _products(self) -> Products:
        return products_on(self.device)

    @cached_property
    def _held(self) -> tuple[Held, Held]:
        """The fitted rows, and how much each counts."""
        return self._products.hold(self.fitted_md), self._products.hold(self.count_m)

    def sizes(self, rows_nd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the counts around some rows."""
        size_n = np.zeros(len(rows_nd), dtype=np.int64)
        for part in _slices(len(rows_nd), rows_of_worker(self.device)):
            size_b = size_n[part]
            for row_p, size_p in self._in_cells(rows_nd[part]):
                size_b[row_p] += size_p
        return size_n

    def sizes_by_cell(self, rows_nd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n, c) the counts around some rows that all look through all cells."""
        return np.stack([size_n for _, size_n in self._in_cells(rows_nd)], axis=1)

    def _in_cells(self, rows_bd: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each cell (p,) which rows look through it, and what each finds there."""
        held_bd, _ = self._products.hold(rows_bd), self._held  # before there are threads that want it
        with self._products.in_float32(), in_threads() as each:
            looks_cb = self._looks_through(held_bd, each)
            yield from each(partial(self._around, rows_bd, held_bd, looks_cb), range(len(self.first_c) - 1))

    def _looks_through(self, held_bd: Held, each: Map) -> NDArray[np.uint8] | None:
        """(c / 8, b) which cells each row looks through, a bit each; None for all."""
        if self.centroids_cd is None:
            return None
        centroids_cd = self._products.hold(self.centroids_cd)
        looks_cb = np.empty((-(-len(centroids_cd) // 8), len(held_bd)), dtype=np.uint8)

        def look(part: slice) -> None:
            reached_cp = self._products.reached(centroids_cd, _coarse(held_bd[part]), self.reach)
            looks_cb[:, part] = np.packbits(reached_cp, axis=0, bitorder="little")

        for _ in each(look, _slices(len(held_bd), self._at_once(len(centroids_cd)))):
            pass
        return looks_cb

    def _around(
        self, rows_bd: NDArray[np.float32], held_bd: Held, looks_cb: NDArray[np.uint8] | None, cell: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(p,) rows that look through a cell, and what each finds there."""
        inside = slice(*self.first_c[cell : cell + 2])
        members_md, count_m = self.fitted_md[inside], self.count_m[inside]
        held_md, held_count_m = (held[inside] for held in self._held)
        row_p = np.arange(len(rows_bd))
        if looks_cb is not None:
            row_p = np.flatnonzero((looks_cb[cell // 8] & (1 << cell % 8)) != 0)
        size_p = np.empty(len(row_p), dtype=np.int64)
        least, error = self.least - _ROUNDING, _error(rows_bd.shape[1])
        for part in _slices(len(row_p), self._at_once(len(members_md))):
            rows = row_p[part]
            held_qd = self._products.take(held_bd, rows)
            size_p[part], row, member = self._products.near(
                held_qd, held_md, held_count_m, least - error, least + error
            )
            is_near = _similarities(rows_bd, rows[row], members_md, member) >= least
            np.add.at(size_p[part], row[is_near], count_m[member[is_near]])
        return row_p, size_p

    def _at_once(self, targets: int) -> int:
        """How many rows to compare with so many others at a time."""
        return max(1, _BLOCK_VALUES * self._products.blocks // max(1, targets))


def neighborhoods_of(
    fitted_md: NDArray[np.float32],
    count_m: NDArray[np.int64],
    least: float,
    sample_sd: NDArray[np.float32],
    device: str = "cpu",
) -> Neighborhoods:
    """Find out how to count what lies around rows.

    Exact up to `EXACT_ROWS` fitted rows. Beyond that, rows look through as many cells as it takes for those of a sample
    to find `LEAST_RECALL` of their neighborhoods, on average.

    Args:
        fitted_md: (m, d) fitted rows.
        count_m: (m,) how much each of these counts.
        least: Smallest similarity.
        sample_sd: (s, d) rows that recall is measured on.
        device: Where products are made, see `products_on`.
    """
    if len(fitted_md) <= EXACT_ROWS:
        first_c = np.append(np.arange(0, len(fitted_md), _CELL_ROWS), len(fitted_md))
        return Neighborhoods(fitted_md, count_m, first_c, least, device)
    cells = int(4 * np.sqrt(len(fitted_md)))
    centroids_cd = _coarse(replace(_FIT, device=device).fit(fitted_md, cells, seed=0))
    cell_m = _cells_of(fitted_md, centroids_cd, products_on(device))
    order = np.argsort(cell_m, kind="stable")
    first_c = np.concatenate([[0], np.cumsum(np.bincount(cell_m, minlength=cells))])
    around = Neighborhoods(fitted_md[order], count_m[order], first_c, least, device)
    reach, recall = _reach(around.sizes_by_cell(sample_sd), _coarse(sample_sd) @ centroids_cd.T)
    return replace(around, recall=recall, centroids_cd=centroids_cd, reach=reach)


def _cells_of(
    fitted_md: NDArray[np.float32], centroids_cd: NDArray[np.float32], products: Products
) -> NDArray[np.int64]:
    """(m,) the cell of each fitted row, that of the most similar centroid; of several such the first."""
    held_cd, cell_m = products.hold(centroids_cd), np.empty(len(fitted_md), dtype=np.int64)

    def assign(part: slice) -> None:
        cell_m[part] = products.two_best(_coarse(products.hold(fitted_md[part])), held_cd)[0]

    with products.in_float32(), in_threads() as each:
        for _ in each(assign, _slices(len(fitted_md), max(1, _BLOCK_VALUES * products.blocks // len(centroids_cd)))):
            pass
    return cell_m


def _reach(count_sc: NDArray[np.int64], score_sc: NDArray[np.float32]) -> tuple[float, float]:
    """How similar a cell's centroid has to be, and how much of its neighborhood a row of the sample then finds.

    Args:
        count_sc: (s, c) the counts around the rows of the sample in each cell.
        score_sc: (s, c) their similarities to the centroids.
    """
    total_s1 = count_sc.sum(axis=1, keepdims=True)  # 0 where a row is not among the fitted ones, and alone
    share_sc = count_sc / np.maximum(total_s1, 1) / max(1, np.count_nonzero(total_s1))
    np.put_along_axis(score_sc, score_sc.argmax(axis=1)[:, None], np.inf, axis=1)  # looked through in any case
    score_p, share_p = score_sc.ravel(), share_sc.ravel()
    order = np.argsort(-score_p, kind="stable")
    enough = int(np.searchsorted(np.cumsum(share_p[order]), LEAST_RECALL))
    reach = float(score_p[order[min(enough, len(order) - 1)]])
    return reach, float(share_p[score_p >= reach].sum())


def _similarities(
    rows_nd: NDArray[np.float32], row: NDArray[np.int64], fitted_md: NDArray[np.float32], member: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(p,) the exact similarities of pairs of rows and fitted rows."""
    similarity_p = np.empty(len(row))
    for part in _slices(len(row), _EXACT_PAIRS):
        pairs = _rounded(rows_nd[row[part]]), _rounded(fitted_md[member[part]])
        similarity_p[part] = np.einsum("pd,pd->p", *pairs)
    return similarity_p


def _side_by_side(row: NDArray[np.int64], value_p: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """(n, w) the values of each row, and minus infinity after them; ``row`` is sorted."""
    count_n = np.bincount(row, minlength=rows)
    values_nw = np.full((rows, count_n.max()), -np.inf)
    values_nw[row, np.arange(len(row)) - np.repeat(np.cumsum(count_n) - count_n, count_n)] = value_p
    return values_nw


def _error(dimensions: int) -> float:
    """How far the float32 product of rows is from the exact one of rounded rows, in any order, at most; and twice."""
    return 2 * (dimensions + 4) * _UNIT


def _rounded(rows_nd: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of unit length, whose products are exact in float64."""
    return np.rint(rows_nd.astype(np.float64) * _FINE) / _FINE


def _coarse(rows_nd: _RowsT) -> _RowsT:
    """Rows of unit length, held or not, whose products are exact in float32."""
    rows: Any = rows_nd
    coarse_nd: _RowsT = (rows * _COARSE).round() / _COARSE
    return coarse_nd


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
