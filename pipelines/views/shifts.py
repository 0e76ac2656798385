"""What each rule for shifts makes of the cluster sizes: how many samples it leaves at which shift."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.contrast.shifts import ShiftRule, cluster_shifts
from pipelines.views.pictured import Pictured
from pipelines.views.tail import read_tail

_BINS = 10


@dataclass(frozen=True, eq=False)
class RuleShifts:
    """The shifts that one rule gives.

    Attributes:
        shift_u: Shift of each distinct size ``(u,)``.
        samples_b: Training samples in each bin of the range ``(b,)``.
        clusters_b: Clusters in each bin ``(b,)``; where they overlap, the same.
    """

    shift_u: NDArray[np.float64]
    samples_b: NDArray[np.int64]
    clusters_b: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class ShiftRules(Pictured):
    """The shifts of clusters under each rule.

    Attributes:
        size_u: The distinct sizes of clusters that training has, smallest first ``(u,)``.
        edges: Borders of the b equal bins of the range ``(b + 1,)``, from the smallest to the largest shift.
        rules: ``linear``, ``log`` and ``rank``.
        centers: Whose neighborhoods the clusters are, see `Tail`.
    """

    size_u: NDArray[np.int64]
    edges: NDArray[np.float64]
    rules: Mapping[str, RuleShifts]
    centers: str | None = None


def read_shift_rules(
    clusters: Path | str, *, annotations: Path | str | None = None, minimum: float = 0.0, maximum: float = 1.0
) -> ShiftRules:
    """See the shifts that each rule of ``mmts shifts`` would give to the clusters of a file.

    Args:
        clusters: Clusters file.
        annotations: As for `read_tail`.
        minimum: Shift of the smallest cluster; by default shifts are shares of the range.
        maximum: Shift of the largest, above ``minimum``.

    Raises:
        InputError: The file can't be used, or no cluster has a training sample.
    """
    tail = read_tail(clusters, annotations=annotations)
    size_u, size_of_k, clusters_u = np.unique(tail.size_k[: tail.seen], return_inverse=True, return_counts=True)
    samples_u = np.bincount(size_of_k, tail.samples_k[: tail.seen])
    edges = np.linspace(minimum, maximum, _BINS + 1)
    rules = {}
    for rule in get_args(ShiftRule):
        shift_u = cluster_shifts(size_u, minimum, maximum, rule).numpy()
        counts = (np.histogram(shift_u, edges, weights=weight_u)[0] for weight_u in (samples_u, clusters_u))
        rules[rule] = RuleShifts(shift_u, *(np.rint(count).astype(np.int64) for count in counts))
    return ShiftRules(size_u, edges, rules, tail.centers)
