"""Is one setting better than another: differences of runs with several seeds a setting, over seeds and queries.

Two runs that differ in nothing but the seed differ in their scores too. An interval over queries alone knows nothing
of that, and finds differences between equal settings. Here both sources count: with m_r the score of run r, and S_A,
S_B runs of two settings,

    D = mean over B of m_r - mean over A of m_r
    V = V_seeds + V_queries - V_both

- V_seeds = s_A^2 / S_A + s_B^2 / S_B, from the variances of m_r over the seeds of each setting;
- V_queries, the variance of the seeds' mean difference over groups of queries (a medium with all its texts),
  linearised, as scores are ratios of sums;
- V_both, the part that the two others both contain: what is left of a run's groups after the means over seeds and over
  groups. It is taken off once, as in two-way clustered standard errors (Cameron, Gelbach and Miller, 2011).

The interval is D +- t sqrt(V), t Student's quantile at the degrees of freedom of Satterthwaite (1946): with three seeds
a variance is known badly, and normal quantiles or a bootstrap of three values would be too narrow. Several comparisons
share the error rate (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.errors import InputError
from pipelines.scores.bootstrap import refuse_other_queries
from pipelines.scores.queries import ALL_SEGMENTS, DIRECTIONS, QueryScores

Queries = Mapping[str, QueryScores]
Word = Literal["better", "worse", "no difference seen", "needs more seeds"]
ERROR_RATE = 0.05
NEEDS_SEEDS: Word = "needs more seeds"
NO_DIFFERENCE: Word = "no difference seen"


@dataclass(frozen=True)
class Verdict:
    """What can be said of the difference of two settings in one score.

    Attributes:
        value: The difference of their means over seeds; percentage points, of ranks places.
        low: Lower end of its interval; None where a setting has one seed.
        high: Upper end.
        word: ``better``, ``worse``, ``no difference seen`` or ``needs more seeds``.
    """

    value: float
    low: float | None
    high: float | None
    word: Word

    @property
    def words(self) -> str:
        """The verdict as it is told, with how large a difference may have gone unseen."""
        if self.low is None or self.high is None or self.word != NO_DIFFERENCE:
            return self.word
        return f"{self.word} (could be up to {max(-self.low, self.high):.1f})"


Verdicts = dict[str, dict[str, dict[str, Verdict]]]
_Key = tuple[str, str, str]


def judge(baseline: Sequence[Queries], other: Sequence[Queries], *, comparisons: int = 1) -> Verdicts:
    """Compare two settings by runs that differ in the seed.

    Args:
        baseline: `QueryScores` of both directions of each run of the one setting.
        other: Those of the other, on the same queries in the same order.
        comparisons: How many settings are compared with the baseline; each interval is made wide enough that all of
            them hold together 95 times in 100.

    Returns:
        ``verdicts[segment][direction or "mean"][metric]`` of all metrics that are means over queries; ``other`` minus
        ``baseline``.

    Raises:
        InputError: A setting has no run, or runs were scored on different queries, folds, thirds or metrics.
    """
    if not baseline or not other:
        raise InputError("a setting has no run; score at least one of each")
    for run in (*baseline[1:], *other):
        for direction in baseline[0]:
            refuse_other_queries(baseline[0][direction], run[direction], direction)
    sides = [[_by_group(run) for run in runs] for runs in (baseline, other)]
    verdicts: Verdicts = {}
    for key in sides[0][0]:
        segment, direction, metric = key
        first, second = ([run[key] for run in side] for side in sides)
        verdict = _judge(first, second, metric, comparisons)
        verdicts.setdefault(segment, {}).setdefault(direction, {})[metric] = verdict
    return verdicts


def told(verdicts: Verdicts) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Verdicts as files hold them: ``told[segment][direction][metric] == {"value", "low", "high", "verdict"}``."""
    return {
        segment: {
            direction: {
                name: {"value": each.value, "low": each.low, "high": each.high, "verdict": each.words}
                for name, each in metrics.items()
            }
            for direction, metrics in directions.items()
        }
        for segment, directions in verdicts.items()
    }


def estimate(runs: Sequence[Queries]) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """The scores of one setting, means over its seeds, with 95% intervals over seeds and queries.

    Args:
        runs: `QueryScores` of both directions of each of its runs, on the same queries in the same order.

    Returns:
        ``estimate[segment][direction or "mean"][metric] == {"value", "low", "high"}``; no interval with one seed.

    Raises:
        InputError: There is no run, or runs were scored on different queries, folds, thirds or metrics.
    """
    if not runs:
        raise InputError("a setting has no run; score at least one")
    for run in runs[1:]:
        for direction in runs[0]:
            refuse_other_queries(runs[0][direction], run[direction], direction)
    scored = [_by_group(run) for run in runs]
    estimates: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
    for segment, direction, metric in scored[0]:
        side = [run[segment, direction, metric] for run in scored]
        value = float(np.mean([score.value for score in side]))
        low, high = None, None
        if len(side) > 1:
            half = _half_width([side], ERROR_RATE)
            low, high = value - half, value + half
        of_direction = estimates.setdefault(segment, {}).setdefault(direction, {})
        of_direction[metric] = {"value": value, "low": low, "high": high}
    return estimates


@dataclass(frozen=True)
class _Score:
    """A score of one run, and what each group adds to it beyond the mean: the sum of these is 0."""

    value: float
    deviation_g: NDArray[np.float64]


def _judge(first: list[_Score], second: list[_Score], metric: str, comparisons: int) -> Verdict:
    means = [np.mean([score.value for score in side]) for side in (first, second)]
    value = float(means[1] - means[0])
    if min(len(first), len(second)) < 2:
        return Verdict(value, None, None, NEEDS_SEEDS)
    half = _half_width([first, second], ERROR_RATE / comparisons)
    low, high = value - half, value + half
    word = NO_DIFFERENCE
    if low > 0 or high < 0:
        lower_is_better = metric.endswith("_rank")
        word = "better" if (value > 0) != lower_is_better else "worse"
    return Verdict(value, low, high, word)


def _half_width(sides: list[list[_Score]], error_rate: float) -> float:
    """Half the width of the interval of one setting's mean score, or of the difference of two settings' means."""
    deviation_sides = [np.stack([score.deviation_g for score in side]) for side in sides]
    groups = int(np.count_nonzero(np.any([np.any(each != 0, axis=0) for each in deviation_sides], axis=0)))
    spread = groups / max(1, groups - 1)
    of_seeds = [float(np.var([score.value for score in side], ddof=1)) / len(side) for side in sides]
    means_g = [deviation_rg.mean(axis=0) for deviation_rg in deviation_sides]
    combined_g = means_g[0] if len(sides) == 1 else means_g[1] - means_g[0]
    of_queries = spread * float(np.sum(combined_g**2))
    of_both = sum(
        spread * float(np.sum((deviation_rg - mean_g) ** 2)) / (len(deviation_rg) * (len(deviation_rg) - 1))
        for deviation_rg, mean_g in zip(deviation_sides, means_g, strict=True)
    )
    variance = max(sum(of_seeds) + of_queries - of_both, sum(of_seeds), of_queries)
    if variance == 0:
        return 0.0
    freedom = variance**2 / (
        sum(part**2 / (len(side) - 1) for part, side in zip(of_seeds, sides, strict=True))
        + of_queries**2 / max(1, groups - 1)
    )
    return float(stats.t.ppf(1 - error_rate / 2, freedom)) * float(np.sqrt(variance))


def _by_group(queries: Queries) -> dict[_Key, _Score]:
    """Each score that is a mean over queries, both directions and their mean, with what each group adds to it."""
    groups = np.unique(np.concatenate([scores.group for scores in queries.values()]))
    found: dict[_Key, _Score] = {}
    for segment in ALL_SEGMENTS:
        for direction, scores in queries.items():
            for metric, score in _of_segment(scores, segment, groups).items():
                found[segment, direction, metric] = score
        for metric in dict.fromkeys(metric for of, _, metric in found if of == segment):
            both = [found.get((segment, direction, metric)) for direction in DIRECTIONS]
            if both[0] is not None and both[1] is not None:
                found[segment, "mean", metric] = _Score(
                    (both[0].value + both[1].value) / 2, (both[0].deviation_g + both[1].deviation_g) / 2
                )
    return found


def _of_segment(scores: QueryScores, segment: str, groups: NDArray[np.int64]) -> dict[str, _Score]:
    """The scores of a segment's queries, means over its folds; those that no query counts for are not in it.

    A mean over classes is a mean over queries that counts each by one over the number of its class's queries. Its
    interval is therefore for other classes too, and on the wide side for these.
    """
    found: dict[str, _Score] = {}
    inside_q = scores.segment(segment)
    place_q = np.searchsorted(groups, scores.group)
    class_means = scores.class_means()
    for metric, value_q in (scores.means() | class_means).items():
        values, deviations = [], []
        for fold in np.unique(scores.fold[inside_q]):
            counted_q = inside_q & (scores.fold == fold) & ~np.isnan(value_q)
            total = np.count_nonzero(counted_q)
            if not total:
                continue
            weight_q = np.ones(total)
            if metric in class_means and scores.label is not None:
                weight_q = 1 / np.bincount(scores.label[counted_q])[scores.label[counted_q]]
            mean = float(np.average(value_q[counted_q], weights=weight_q))
            values.append(mean)
            deviation_q = weight_q * (value_q[counted_q] - mean)
            deviations.append(np.bincount(place_q[counted_q], deviation_q, minlength=len(groups)) / weight_q.sum())
        if values:
            found[metric] = _Score(float(np.mean(values)), np.mean(deviations, axis=0))
    return found
