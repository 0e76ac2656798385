"""Which number of clusters, and the mean of how many clusterings, gives shifts that another run would give too."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.advise.stability import Agreement, needed, predicted

WANTED = 0.9  # rank correlation of shifts with those that as many other clusterings give
MOST = 32  # clusterings that are worth making
LEAST_GINI = 0.2  # sizes spread evenly from 1 to 5 have 0.22
GINI_WITHOUT_STRUCTURE = 0.13  # at most, of k-means of points without structure


@dataclass(frozen=True)
class Candidate:
    """A number of clusters.

    Attributes:
        k: Clusters.
        gini: Mean Gini coefficient of the cluster sizes.
        clusterings: The fewest that make means agree as `WANTED`; None where it takes more than `MOST`.
        agreement: Rank correlation of means of as many, or of `MOST` where there is none.
        measured: Whether that was measured, and not predicted.
    """

    k: int
    gini: float
    clusterings: int | None
    agreement: float
    measured: bool

    @property
    def has_tail(self) -> bool:
        """Whether cluster sizes differ enough for balancing to change anything."""
        return self.gini >= LEAST_GINI


def candidate(k: int, gini: float, agreements: Sequence[Agreement]) -> Candidate:
    """What can be expected of means of clusterings into k clusters."""
    measured = [each for each in agreements if each.pairs]
    for each in measured:
        if each.rank_correlation.value >= WANTED:
            return Candidate(k, gini, each.averaged, each.rank_correlation.value, True)
    largest = max(measured, key=lambda each: each.averaged)
    correlation = largest.rank_correlation.value
    wanted = largest.averaged * needed(correlation, WANTED)
    clusterings = math.ceil(wanted - 1e-9) if wanted <= MOST else None
    agreement = predicted(correlation, (clusterings or MOST) / largest.averaged)
    return Candidate(k, gini, clusterings, agreement, False)


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that takes the fewest clusterings, or the smaller k; of those with a tail if there are any.

    Where all take too many, it is the one whose means agree most.
    """
    eligible = [each for each in candidates if each.has_tail] or candidates
    return min(
        eligible,
        key=lambda each: (each.clusterings or math.inf, 0 if each.clusterings else -each.agreement, each.k),
    )
