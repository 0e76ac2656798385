"""Head, middle and tail: thirds of the samples by training cluster size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError

TAIL, MIDDLE, HEAD = 0, 1, 2
THIRDS = ("tail", "middle", "head")


def frequency_edges(size_n: NDArray[Any]) -> tuple[float, float]:
    """Cluster sizes that divide samples into thirds.

    Samples of one size always share a third, so that a third is a property of the size and not of the row order: a
    size goes whole to the third in which the middle of its samples lies, once all are sorted by size. Thirds are
    therefore only as even as the sizes allow; `frequency_third` says which sample is where.

    Args:
        size_n: Training cluster size of each sample, shape ``(n,)``.

    Returns:
        ``(e0, e1)``: tail is ``size < e0``, middle ``e0 <= size < e1``, head ``size >= e1``.

    Raises:
        InputError: No samples, or sizes that are negative or not finite.
    """
    if not len(size_n):
        raise InputError("there are no cluster sizes: thirds by frequency need at least one sample")
    bad = np.flatnonzero(~(np.isfinite(size_n) & (size_n >= 0)))
    if len(bad):
        raise InputError(
            f"cluster size {size_n[bad[0]]} in row {bad[0]} ({len(bad)} such rows): sizes are counts of training "
            "samples, 0 or more"
        )
    size_u, count_u = np.unique(size_n, return_counts=True)
    twice_middle_u = 2 * np.cumsum(count_u) - count_u
    third_u = 3 * twice_middle_u // (2 * len(size_n))
    edges = [size_u[third_u >= third][0] if (third_u >= third).any() else size_u[-1] + 1 for third in (MIDDLE, HEAD)]
    return float(edges[0]), float(edges[1])


def frequency_third(size_n: NDArray[Any], edges: tuple[float, float]) -> NDArray[np.int8]:
    """The third of each size: 0 tail, 1 middle, 2 head (indices into `THIRDS`).

    Args:
        size_n: Cluster sizes or means of cluster sizes, shape ``(n,)``.
        edges: From `frequency_edges`.
    """
    return np.searchsorted(np.asarray(edges), size_n, side="right").astype(np.int8)


def media_sizes(
    text_size_m: NDArray[np.float64], text_media_index: NDArray[np.int64], media_count: int
) -> NDArray[np.float64]:
    """Mean cluster size of each medium's texts, shape ``(media_count,)``, NaN for a medium without texts."""
    with np.errstate(invalid="ignore"):
        mean_n: NDArray[np.float64] = np.bincount(text_media_index, text_size_m, media_count) / np.bincount(
            text_media_index, minlength=media_count
        )
    return mean_n
