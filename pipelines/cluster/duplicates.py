"""Vectors that repeat, and media that samples share."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.distinct import Distinct, digest
from pipelines.cluster.geometry import BLOCK_ROWS
from pipelines.cluster.method import Samples
from pipelines.cluster.methods.classes import ClassColumns


def count_distinct(rows: Iterable[NDArray[np.float32]], *, stop: int | None = None) -> int:
    """The number of distinct rows among ``rows``; counting ends at ``stop``."""
    distinct: set[bytes] = set()
    for row_d in rows:
        distinct.add(digest(row_d.tobytes()))  # a set of rows would copy them all
        if len(distinct) == stop:
            break
    return len(distinct)


def describe_duplicates(samples: Samples, count_m: NDArray[np.int64]) -> dict[str, int]:
    """How many fitted vectors repeat another, and how many media several fitted samples share.

    Args:
        samples: What is clustered, m items.
        count_m: (m,) fitted samples of each item.

    Returns:
        ``repeated_vectors``: fitted items whose vector an earlier one has as well, where items are vectors; ``media``,
        ``fitted_media`` and ``shared_media`` (those of several fitted samples), where media are clustered.
    """
    figures = {}
    fitted = np.flatnonzero(count_m)
    if not isinstance(samples.content, ClassColumns):
        distinct = Distinct()
        for start in range(0, len(fitted), BLOCK_ROWS):
            distinct.add(samples.content[fitted[start : start + BLOCK_ROWS]])
        figures["repeated_vectors"] = len(fitted) - distinct.count()
    if samples.item_n is not None:
        figures |= {"media": len(count_m), "fitted_media": len(fitted), "shared_media": int((count_m > 1).sum())}
    return figures
