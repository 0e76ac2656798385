"""Training cluster sizes of what is scored, which head, middle and tail follow from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import read_cluster_sizes, read_shifts
from pipelines.evaluate.sources import Sources


@dataclass(frozen=True)
class Sizes:
    """Training cluster sizes.

    Attributes:
        size_n: Of each sample ``(n,)``; None where they are not known.
        said: Where they come from, or why there are none, in words.
    """

    size_n: NDArray[np.float64] | None
    said: str


def find_sizes(sources: Sources, sample_ids: pa.ChunkedArray) -> Sizes:
    """The sizes in the clusters file that was given, else in the shifts of the run, where these know the samples.

    Raises:
        InputError: The clusters file can't be used, or samples are missing there; or the shifts can't be read.
    """
    if sources.clusters is not None:
        return Sizes(read_cluster_sizes(sources.clusters, sample_ids), f"sizes from {sources.clusters.name}")
    remedy = "--clusters FILE gives sizes"
    if sources.shifts is None:
        return Sizes(None, f"no cluster sizes known; {remedy}")
    shifts = read_shifts(sources.shifts)
    rows = pc.index_in(sample_ids, value_set=shifts.sample_ids.combine_chunks())
    if rows.null_count:
        why = f"{rows.null_count:,} of {len(rows):,} samples are not in the run's {sources.shifts.name}"
        return Sizes(None, f"{why}; {remedy}")
    size_n = shifts.cluster_size_n[rows.to_numpy()].astype(np.float64)
    return Sizes(size_n, f"sizes from {sources.shifts.name}, which the run was trained with")
