"""Neighborhoods of vectors of unit length: how near the k-th neighbor is, and how much lies within a similarity."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Up to how many fitted rows all similarities are computed: 50,000 x 50,000 of 384 dimensions take about half a minute.
EXACT_ROWS = 50_000
LEAST_RECALL = 0.95
_BLOCK_VALUES = 2**24  # similarities, or neighbors found, that are held at a time
_ROUNDING = (
    1e-5  # what products of one pair of vectors may differ by, so that identical ones stay within any similarity
)


def kth_similarity(rows_nd: NDArray[np.float32], fitted: Iterable[NDArray[np.float32]], k: int) -> NDArray[np.float32]:
    """(n,) similarity of each row to its k-th nearest fitted row, counted from 1; these come in parts ``(m, d)``."""
    nearest_nk = np.empty((len(rows_nd), 0), dtype=np.float32)
    for fitted_md in fitted:
        block = _block_rows(len(fitted_md))
        nearest_nk = np.concatenate(
            [
                _largest(
                    np.hstack([nearest_nk[start : start + block], rows_nd[start : start + block] @ fitted_md.T]), k
                )
                for start in range(0, len(rows_nd), block)
            ]
        )
    kth_n: NDArray[np.float32] = nearest_nk.min(axis=1)
    return kth_n


def _largest(values_nm: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    return np.partition(values_nm, -k, axis=1)[:, -k:] if values_nm.shape[1] > k else values_nm


@dataclass(frozen=True)
class Neighborhoods:
    """What lies around rows, with a similarity of ``least`` or more; see `neighborhoods_of`.

    Attributes:
        count_m: (m,) how much each of the rows counts that are looked for.
        least: Smallest similarity.
        recall: Share of a sample's neighbors that are among those counted: 1 where it is exact.
        fitted_md: These rows ``(m, d)``, where all are looked at.
        index: Else faiss's index of them.
    """

    count_m: NDArray[np.int64]
    least: float
    recall: float = 1.0
    fitted_md: NDArray[np.float32] | None = None
    index: Any = None

    def sizes(self, rows_nd: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the counts around some rows."""
        if self.fitted_md is not None:
            return _exact_sizes(rows_nd, self.fitted_md, self.count_m, self.least)
        return _indexed_sizes(self.index, rows_nd, self.count_m, self.least)


def neighborhoods_of(
    fitted_md: NDArray[np.float32], count_m: NDArray[np.int64], least: float, sample_sd: NDArray[np.float32]
) -> Neighborhoods:
    """Find out how to count what lies around rows.

    Exact up to `EXACT_ROWS` fitted rows. Beyond that, an inverted file of faiss looks through the cells nearest to a
    row: through twice as many until `LEAST_RECALL` of the sample's neighbors are found.

    Args:
        fitted_md: (m, d) fitted rows.
        count_m: (m,) how much each of these counts.
        least: Smallest similarity.
        sample_sd: (s, d) rows that recall is measured on.
    """
    if len(fitted_md) <= EXACT_ROWS:
        return Neighborhoods(count_m, least, fitted_md=fitted_md)
    import faiss

    cells = int(4 * np.sqrt(len(fitted_md)))
    index: Any = faiss.index_factory(fitted_md.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(fitted_md)
    index.add(fitted_md)
    exact = _exact_sizes(sample_sd, fitted_md, count_m, least).sum()
    index.nprobe = 16
    while True:
        recall = float(_indexed_sizes(index, sample_sd, count_m, least).sum() / exact)
        if recall >= LEAST_RECALL or index.nprobe >= cells:
            return Neighborhoods(count_m, least, recall, index=index)
        index.nprobe = min(2 * index.nprobe, cells)


def _exact_sizes(
    rows_nd: NDArray[np.float32], fitted_md: NDArray[np.float32], count_m: NDArray[np.int64], least: float
) -> NDArray[np.int64]:
    size_n = np.empty(len(rows_nd), dtype=np.int64)
    block = _block_rows(len(fitted_md))
    for start in range(0, len(rows_nd), block):
        near_bm = rows_nd[start : start + block] @ fitted_md.T >= least - _ROUNDING
        size_n[start : start + block] = near_bm @ count_m.astype(np.float64)
    return size_n


def _indexed_sizes(
    index: Any, rows_nd: NDArray[np.float32], count_m: NDArray[np.int64], least: float
) -> NDArray[np.int64]:
    size_n = np.empty(len(rows_nd), dtype=np.int64)
    block = _block_rows(len(count_m))  # in which each row may have found all
    for start in range(0, len(rows_nd), block):
        ends, _, found = index.range_search(rows_nd[start : start + block], least - _ROUNDING)
        total = np.concatenate([[0], np.cumsum(count_m[found])])
        size_n[start : start + block] = np.diff(total[ends.astype(np.int64)])
    return size_n


def _block_rows(fitted: int) -> int:
    return max(1, _BLOCK_VALUES // fitted)
