"""Neighborhoods of vectors of unit length: how near the k-th neighbor is, and how much lies within a similarity.

Both are the same to the last bit whatever the blocks, the threads or the BLAS. What decides them are inner products of
rows that are rounded to 26 fractional bits: sums of such products are exact in float64, in any order. float32 products
leave the close calls alone to these.

Of many rows not all are looked at. They lie in cells, each around a centroid, as in an inverted file (Jégou et al.,
Product Quantization for Nearest Neighbor Search, PAMI 2011). A row looks through the cells whose centroids are similar
to it; how similar they need be is measured. Rows that look through the same cell share a matrix product.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.lloyd import Map, in_threads

# Up to how many fitted rows all similarities are computed: 50,000 x 50,000 of 384 dimensions take about half a minute.
EXACT_ROWS = 50_000
LEAST_RECALL = 0.95
BLOCK_ROWS = 32_768  # that look through the cells at a time
# What vectors of one text may differ by, so that identical ones stay within any similarity.
_ROUNDING = 1e-5
_CELL_ROWS = 4_096  # of a cell, where there are no centroids
_FIT = CentroidFit(niter=8, spherical=True, max_points_per_centroid=64)
_BLOCK_VALUES = 2**20  # similarities that are made at a time, in each thread
_FINE, _COARSE = 2.0**26, 2.0**11  # products of rows of multiples of 1 / these are exact in float64, and in float32
_UNIT = 2.0**-24  # float32: largest relative error of rounding


def kth_similarity(rows_nd: NDArray[np.float32], fitted: Iterable[NDArray[np.float32]], k: int) -> NDArray[np.float64]:
    """(n,) similarity of each row to its k-th nearest fitted row, counted from 1; these come in parts ``(m, d)``."""
    exact_nd = _rounded(rows_nd)
    nearest_nk = np.empty((len(rows_nd), 0))
    for fitted_md in fitted:
        for part in _slices(len(fitted_md), max(1, _BLOCK_VALUES // len(rows_nd))):
            nearest_nk = np.hstack([nearest_nk, exact_nd @ _rounded(fitted_md[part]).T])
            if nearest_nk.shape[1] > k:
                nearest_nk = np.partition(nearest_nk, -k, axis=1)[:, -k:]
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
        recall: How much of its neighborhood a row finds: 1 where it is exact.
        centroids_cd: (c, d) the centroids of the cells, see `_coarse`; None where rows look through all cells.
        reach: Similarity to its centroid from which a cell is looked through; the nearest is in any case.
    """

    fitted_md: NDArray[np.float32]
    count_m: NDArray[np.int64]
    first_c: NDArray[np.int64]
    least: float
    recall: float = 1.0
    centroids_cd: NDArray[np.float32] | None = None
    reach: float = -np.inf

    def sizes(self, rows_nd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the counts around some rows."""
        size_n = np.zeros(len(rows_nd), dtype=np.int64)
        cells = range(len(self.first_c) - 1)
        with in_threads() as each:
            for part in _slices(len(rows_nd), BLOCK_ROWS):
                block_bd, size_b = rows_nd[part], size_n[part]
                looks_cb = self._looks_through(block_bd, each)
                for row_p, size_p in each(partial(self._around, block_bd, looks_cb), cells):
                    size_b[row_p] += size_p
        return size_n

    def _looks_through(self, rows_bd: NDArray[np.float32], each: Map) -> NDArray[np.bool_] | None:
        """(c, b) which cells each row looks through; None for all."""
        if self.centroids_cd is None:
            return None
        centroids_cd = self.centroids_cd
        looks_cb = np.empty((len(centroids_cd), len(rows_bd)), dtype=np.bool_)

        def look(part: slice) -> None:
            score_cp = centroids_cd @ _coarse(rows_bd[part]).T
            looks_cb[:, part] = score_cp >= np.minimum(score_cp.max(axis=0), self.reach)

        for _ in each(look, _slices(len(rows_bd), max(1, _BLOCK_VALUES // len(centroids_cd)))):
            pass
        return looks_cb

    def _around(
        self, rows_bd: NDArray[np.float32], looks_cb: NDArray[np.bool_] | None, cell: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(p,) rows that look through a cell, and what each finds there."""
        inside = slice(*self.first_c[cell : cell + 2])
        members_md, count_m = self.fitted_md[inside], self.count_m[inside]
        row_p = np.arange(len(rows_bd)) if looks_cb is None else np.flatnonzero(looks_cb[cell])
        size_p = np.empty(len(row_p), dtype=np.int64)
        for part in _slices(len(row_p), max(1, _BLOCK_VALUES // max(1, len(members_md)))):
            row, member = near(rows_bd[row_p[part]], members_md, self.least)
            size_p[part] = np.bincount(row, count_m[member], minlength=len(row_p[part]))
        return row_p, size_p


def neighborhoods_of(
    fitted_md: NDArray[np.float32], count_m: NDArray[np.int64], least: float, sample_sd: NDArray[np.float32]
) -> Neighborhoods:
    """Find out how to count what lies around rows.

    Exact up to `EXACT_ROWS` fitted rows. Beyond that, rows look through as many cells as it takes for those of a sample
    to find `LEAST_RECALL` of their neighborhoods, on average.

    Args:
        fitted_md: (m, d) fitted rows.
        count_m: (m,) how much each of these counts.
        least: Smallest similarity.
        sample_sd: (s, d) rows that recall is measured on.
    """
    if len(fitted_md) <= EXACT_ROWS:
        first_c = np.append(np.arange(0, len(fitted_md), _CELL_ROWS), len(fitted_md))
        return Neighborhoods(fitted_md, count_m, first_c, least)
    cells = int(4 * np.sqrt(len(fitted_md)))
    centroids_cd = _coarse(_FIT.fit(fitted_md, cells, seed=0))
    cell_m = np.concatenate(
        [
            (_coarse(fitted_md[part]) @ centroids_cd.T).argmax(axis=1)
            for part in _slices(len(fitted_md), max(1, _BLOCK_VALUES // cells))
        ]
    )
    reach, recall = _reach(fitted_md, count_m, cell_m, centroids_cd, least, sample_sd)
    order = np.argsort(cell_m, kind="stable")
    first_c = np.concatenate([[0], np.cumsum(np.bincount(cell_m, minlength=cells))])
    return Neighborhoods(fitted_md[order], count_m[order], first_c, least, recall, centroids_cd, reach)


def _reach(
    fitted_md: NDArray[np.float32],
    count_m: NDArray[np.int64],
    cell_m: NDArray[np.int64],
    centroids_cd: NDArray[np.float32],
    least: float,
    sample_sd: NDArray[np.float32],
) -> tuple[float, float]:
    """How similar a cell's centroid has to be, and how much of its neighborhood a row of the sample then finds."""
    rows, cells = len(sample_sd), len(centroids_cd)
    count_p = np.zeros(rows * cells)  # of pairs of a row and a cell
    for part in _slices(len(fitted_md), max(1, _BLOCK_VALUES // rows)):
        row, member = near(sample_sd, fitted_md[part], least)
        count_p += np.bincount(row * cells + cell_m[part][member], count_m[part][member], minlength=rows * cells)
    count_sc = count_p.reshape(rows, cells)
    total_s1 = count_sc.sum(axis=1, keepdims=True)  # 0 where a row is not among the fitted ones, and alone
    share_sc = count_sc / np.maximum(total_s1, 1) / max(1, np.count_nonzero(total_s1))
    score_sc = _coarse(sample_sd) @ centroids_cd.T
    np.put_along_axis(score_sc, score_sc.argmax(axis=1)[:, None], np.inf, axis=1)  # looked through in any case
    score_p, share_p = score_sc.ravel(), share_sc.ravel()
    order = np.argsort(-score_p, kind="stable")
    enough = int(np.searchsorted(np.cumsum(share_p[order]), LEAST_RECALL))
    reach = float(score_p[order[min(enough, len(order) - 1)]])
    return reach, float(share_p[score_p >= reach].sum())


def near(
    rows_nd: NDArray[np.float32], fitted_md: NDArray[np.float32], least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of rows and fitted rows, of unit length, that are as similar as ``least``, but for rounding."""
    least = least - _ROUNDING
    error = 2 * (rows_nd.shape[1] + 4) * _UNIT  # of a float32 product of rounded rows, in any order, at most; twice
    score_nm = rows_nd @ fitted_md.T
    row, member = np.nonzero(score_nm > least - error)
    is_near = score_nm[row, member] >= least + error
    close = np.flatnonzero(~is_near)
    for part in _slices(len(close), BLOCK_ROWS):
        pairs = close[part]
        exact_p = np.einsum("pd,pd->p", _rounded(rows_nd[row[pairs]]), _rounded(fitted_md[member[pairs]]))
        is_near[pairs] = exact_p >= least
    return row[is_near], member[is_near]


def _rounded(rows_nd: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of unit length, whose products are exact in float64."""
    return np.rint(rows_nd.astype(np.float64) * _FINE) / _FINE


def _coarse(rows_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of unit length, whose products are exact in float32."""
    coarse_nd: NDArray[np.float32] = np.rint(rows_nd * np.float32(_COARSE)) / np.float32(_COARSE)
    return coarse_nd


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
