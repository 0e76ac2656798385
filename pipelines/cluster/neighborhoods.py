"""Neighborhoods of vectors of unit length: how near the k-th neighbor is, and how much lies within a similarity."""

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


def kth_similarity(rows_nd: NDArray[np.float32], fitted_md: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """(n,) similarity of each row to its k-th nearest fitted row, counted from 1."""
    block = _block_rows(len(fitted_md))
    return np.concatenate(
        [
            np.partition(rows_nd[start : start + block] @ fitted_md.T, -k, axis=1)[:, -k]
            for start in range(0, len(rows_nd), block)
        ]
    )


def neighborhood_sizes(
    rows_nd: NDArray[np.float32],
    fitted_md: NDArray[np.float32],
    count_m: NDArray[np.int64],
    least: float,
    sample_sd: NDArray[np.float32],
) -> tuple[NDArray[np.int64], float]:
    """What lies around each row, with a similarity of ``least`` or more.

    Exact up to `EXACT_ROWS` fitted rows. Beyond that, an inverted file of faiss looks through the cells nearest to a
    row: through twice as many until `LEAST_RECALL` of the sample's neighbors are found.

    Args:
        rows_nd: (n, d) rows.
        fitted_md: (m, d) fitted rows.
        count_m: (m,) how much each of these counts.
        least: Smallest similarity.
        sample_sd: (s, d) fitted rows that recall is measured on.

    Returns:
        (n,) counts, and the share of the sample's neighbors that are among those counted: 1 where it is exact.
    """
    if len(fitted_md) <= EXACT_ROWS:
        return _exact_sizes(rows_nd, fitted_md, count_m, least), 1.0
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
            return _indexed_sizes(index, rows_nd, count_m, least), recall
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
