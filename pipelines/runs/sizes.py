"""Training cluster sizes of samples, which head, middle and tail follow from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import read_frequency
from pipelines.runs.sources import Sources


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
    """The sizes by the source that was given, else by that of the run, where it knows the samples.

    Raises:
        InputError: The source can't be used; or samples are missing in one that was given.
    """
    remedy = "--frequency gives sizes"
    if sources.frequency is None:
        return Sizes(None, f"no cluster sizes known; {remedy}")
    frequency = read_frequency(sources.frequency, sources.annotations)
    if not sources.of_run:
        return Sizes(frequency.of(sample_ids), frequency.said)
    missing = pc.index_in(sample_ids, value_set=frequency.sample_ids).null_count
    if missing:
        why = f"{missing:,} of {len(sample_ids):,} samples are not in the run's {frequency.path.name}"
        return Sizes(None, f"{why}; {remedy}")
    return Sizes(frequency.of(sample_ids), f"{frequency.said}, which the run was trained with")
