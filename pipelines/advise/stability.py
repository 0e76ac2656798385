"""How alike the shifts of several clusterings are: of single ones, and of means of several."""

import itertools
import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipelines.artifacts import gini
from pipelines.contrast.shifts import ShiftRule, cluster_shifts
from pipelines.scores.thirds import frequency_edges, frequency_third

AVERAGED = (1, 2, 4, 8)
_MOST_PAIRS = 30
_Group = tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """A mean, and the smallest and largest of what it is the mean of."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of some values."""
        return cls(float(np.mean(values)), min(values), max(values))


@dataclass(frozen=True)
class Agreement:
    """How alike two shifts of the same samples are, each the mean of ``averaged`` clusterings that the other lacks.

    Attributes:
        averaged: Clusterings that each of the two is a mean of.
        pairs: Pairs that were compared; 0 where there are too few clusterings, and ``rank_correlation`` is predicted.
        rank_correlation: Spearman's, of the shifts.
        correlation: Pearson's, of the shifts; None where predicted.
        changed_thirds: Percentage of samples that are in another third by the mean cluster sizes; None where predicted.
    """

    averaged: int
    pairs: int
    rank_correlation: Spread
    correlation: Spread | None = None
    changed_thirds: Spread | None = None


def agreements(size_sn: NDArray[np.int64], rule: ShiftRule) -> list[Agreement]:
    """Compare shifts, and means of 2, 4 and 8 of them, between clusterings that differ in the seed.

    Means are compared between disjoint groups of clusterings: all such pairs, or 30 drawn at random (always the same)
    where there are more. So 8 clusterings give 28 pairs of single ones, 30 of means of 2, and 30 of means of 4. Where
    there are fewer than two groups, the rank correlation is predicted from that of the largest groups, see
    `predicted`.

    Args:
        size_sn: (s, n) cluster sizes of n samples in s clusterings, two or more.
        rule: How sizes become shifts; their range makes no difference here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that clusters are of one size shows in the Gini coefficient
        shift_sn = np.stack([cluster_shifts(size_n, 0.0, 1.0, rule).numpy() for size_n in size_sn])
    found: list[Agreement] = []
    for averaged in AVERAGED:
        if 2 * averaged <= len(size_sn):
            found.append(_compared(shift_sn, size_sn, averaged))
        else:
            largest = max((each for each in found if each.pairs), key=lambda each: each.averaged)
            ends = (largest.rank_correlation.value, largest.rank_correlation.low, largest.rank_correlation.high)
            found.append(Agreement(averaged, 0, Spread(*(predicted(r, averaged / largest.averaged) for r in ends))))
    return found


def predicted(correlation: float, times: float) -> float:
    """The correlation between two means of ``times`` as many measurements, by the Spearman-Brown formula.

    ``times * r / (1 + (times - 1) * r)`` (Spearman 1910; Brown 1910), exact for Pearson's correlation of measurements
    that are alike in variance and in their correlations. What isn't correlated stays so.
    """
    return times * correlation / (1 + (times - 1) * correlation) if correlation > 0 else correlation


def needed(correlation: float, wanted: float) -> float:
    """How many times as many measurements make a correlation as high as ``wanted``: `predicted`, solved for it."""
    return wanted * (1 - correlation) / (correlation * (1 - wanted)) if correlation > 0 else math.inf


def disjoint_pairs(clusterings: int, averaged: int) -> list[tuple[_Group, _Group]]:
    """Pairs of disjoint groups of ``averaged`` of the clusterings: all, or 30 drawn at random (always the same)."""
    number = math.comb(clusterings, averaged) * math.comb(clusterings - averaged, averaged) // 2
    if number <= _MOST_PAIRS:
        groups = list(itertools.combinations(range(clusterings), averaged))
        return [pair for pair in itertools.combinations(groups, 2) if not set(pair[0]) & set(pair[1])]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(clusterings).tolist() for _ in range(_MOST_PAIRS)]
    return [(tuple(order[:averaged]), tuple(order[averaged : 2 * averaged])) for order in orders]


def size_gini(cluster_n: NDArray[np.int64]) -> float:
    """Gini coefficient of the sizes of a clustering: 0 where all are of one size."""
    return gini(np.unique(cluster_n, return_counts=True)[1])


def _compared(shift_sn: NDArray[np.float64], size_sn: NDArray[np.int64], averaged: int) -> Agreement:
    pairs = disjoint_pairs(len(size_sn), averaged)
    groups = sorted({group for pair in pairs for group in pair})
    shift, rank, third = {}, {}, {}
    for group in groups:
        shift[group] = shift_sn[list(group)].mean(axis=0)
        rank[group] = rankdata(shift[group])
        size_n = size_sn[list(group)].mean(axis=0)
        third[group] = frequency_third(size_n, frequency_edges(size_n))
    return Agreement(
        averaged,
        len(pairs),
        Spread.of([_correlation(rank[one], rank[other]) for one, other in pairs]),
        Spread.of([_correlation(shift[one], shift[other]) for one, other in pairs]),
        Spread.of([100 * float((third[one] != third[other]).mean()) for one, other in pairs]),
    )


def _correlation(one_n: NDArray[np.float64], other_n: NDArray[np.float64]) -> float:
    """Pearson's correlation; shifts that are the same for all samples agree with one another and with nothing else."""
    constant = (np.ptp(one_n) == 0, np.ptp(other_n) == 0)
    return float(all(constant)) if any(constant) else float(np.corrcoef(one_n, other_n)[0, 1])
