"""Scores with percentile-bootstrap intervals, and the paired bootstrap of two runs.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.scores.queries import ALL_SEGMENTS, DIRECTIONS, GroupStatistics, QueryScores
from pipelines.scores.similarity import IntArray

RESAMPLES = 1000
MOST_RESAMPLES = 100_000  # intervals gain nothing from more, and every metric keeps a value of each
_MOST_SEED = 2**32 - 1
INTERVAL = (2.5, 97.5)
DRAWS_AT_ONCE = 2**20

Interval = dict[str, float | None]
Scores = dict[str, dict[str, dict[str, Interval]]]
Key = tuple[str, str, str]  # segment, direction, metric
Table = dict[Key, NDArray[np.float64]]


def require_draws(resamples: int, seed: int) -> None:
    """Check how many resamples there are to be, and the seed, before any work is done.

    Raises:
        InputError: One of them is out of range.
    """
    if not 0 <= resamples <= MOST_RESAMPLES:
        raise InputError(
            f"--resamples {resamples}: out of range; give 0 to {MOST_RESAMPLES:,} (default: {RESAMPLES:,})"
        )
    if not 0 <= seed <= _MOST_SEED:
        raise InputError(f"--seed {seed}: out of range; give 0 to {_MOST_SEED}")


def summarise(queries: Mapping[str, QueryScores], *, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Every metric overall and by third, for both directions and their mean, with its 95% interval.

    Media are drawn with replacement, each with all its queries in both directions; with folds, within each fold.

    Args:
        queries: `QueryScores` of ``text_to_media`` and ``media_to_text``, or of one of them.
        resamples: Bootstrap resamples; 0 leaves the intervals out (None).
        seed: Seed of the draws. The same seed and media give the same draws.

    Returns:
        ``scores[segment][direction or "mean"][metric] == {"value", "low", "high"}``. A segment without queries is
        not in it. A metric that no query counts for is None.
    """
    return _nest(_values(queries), _samples(queries, resamples, seed))


def compare(
    first: Mapping[str, QueryScores],
    second: Mapping[str, QueryScores],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scores:
    """Paired bootstrap of the differences ``second - first`` of two runs on the same queries.

    Args:
        first: `QueryScores` of the directions of the first run.
        second: Those of the second run, in the same order of queries.
        resamples: Bootstrap resamples; 0 leaves the intervals out (None).
        seed: Seed of the draws, which both runs share.

    Returns:
        As `summarise`, with differences in place of scores.

    Raises:
        InputError: The runs were scored on different queries, folds, thirds or metrics.
    """
    for direction in first:
        refuse_other_queries(first[direction], second[direction], direction)
    values = _differences(_values(first), _values(second))
    return _nest(values, _differences(_samples(first, resamples, seed), _samples(second, resamples, seed)))


def group_draws(groups: int, resamples: int, seed: int, stratum: int = 0) -> Iterator[IntArray]:
    """How often each group is drawn in each resample, in blocks of shape ``(b, groups)`` of bounded memory."""
    generator = np.random.default_rng([seed, stratum])
    block = max(1, DRAWS_AT_ONCE // groups)
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        drawn_bg = generator.integers(0, groups, size=(count, groups))
        drawn_bg += groups * np.arange(count)[:, None]
        yield np.bincount(drawn_bg.ravel(), minlength=count * groups).reshape(count, groups)


def _values(queries: Mapping[str, QueryScores]) -> Table:
    """The scores themselves: every group drawn once."""
    return _mean_over_folds(queries, lambda groups, fold: iter([np.ones((1, groups), dtype=np.int64)]))


def _samples(queries: Mapping[str, QueryScores], resamples: int, seed: int) -> Table:
    require_draws(resamples, seed)
    if not resamples:
        return {}
    return _mean_over_folds(queries, lambda groups, fold: group_draws(groups, resamples, seed, fold))


def _differences(first: Table, second: Table) -> Table:
    return {key: second[key] - first[key] for key in second}


def _mean_over_folds(queries: Mapping[str, QueryScores], draws: Callable[[int, int], Iterator[IntArray]]) -> Table:
    """Each metric under each draw, shape ``(resamples,)``, both directions and their mean, averaged over folds."""
    folds: dict[Key, list[NDArray[np.float64]]] = {}
    for fold in np.unique(np.concatenate([scores.fold for scores in queries.values()])):
        groups, statistics = _fold_statistics(queries, int(fold))
        blocks: dict[Key, list[NDArray[np.float64]]] = {}
        for draws_bg in draws(groups, int(fold)):
            for (segment, direction), statistic in statistics.items():
                for metric, value_b in statistic(draws_bg).items():
                    blocks.setdefault((segment, direction, metric), []).append(value_b)
        for key, parts in blocks.items():
            folds.setdefault(key, []).append(np.concatenate(parts))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        table = {key: np.nanmean(parts, axis=0) for key, parts in folds.items()}
    first, second = DIRECTIONS
    for segment, direction, metric in list(table):
        if direction == first and (segment, second, metric) in table:
            both = table[segment, first, metric], table[segment, second, metric]
            table[segment, "mean", metric] = (both[0] + both[1]) / 2
    return table


def _fold_statistics(
    queries: Mapping[str, QueryScores], fold: int
) -> tuple[int, dict[tuple[str, str], GroupStatistics]]:
    """The number of groups in a fold, and the statistics of its queries by segment and direction."""
    present = np.unique(np.concatenate([scores.group[scores.fold == fold] for scores in queries.values()]))
    statistics = {}
    for segment in ALL_SEGMENTS:
        for direction, scores in queries.items():
            chosen = scores.segment(segment) & (scores.fold == fold)
            if chosen.any():
                statistics[segment, direction] = GroupStatistics(
                    np.searchsorted(present, scores.group[chosen]),
                    len(present),
                    {name: value[chosen] for name, value in scores.means().items()},
                    {name: value[chosen] for name, value in scores.medians().items()},
                    {name: value[chosen] for name, value in scores.class_means().items()},
                    None if scores.label is None else scores.label[chosen],
                )
    return len(present), statistics


def _nest(values: Table, samples: Table) -> Scores:
    scores: Scores = {}
    for (segment, direction, metric), value in values.items():
        low_high: tuple[float | None, float | None] = (None, None)
        if samples and not np.isnan(samples[segment, direction, metric]).all():
            low, high = np.nanpercentile(samples[segment, direction, metric], INTERVAL)
            low_high = float(low), float(high)
        scores.setdefault(segment, {}).setdefault(direction, {})[metric] = {
            "value": None if np.isnan(value[0]) else float(value[0]),
            "low": low_high[0],
            "high": low_high[1],
        }
    return scores


def refuse_other_queries(first: QueryScores, second: QueryScores, direction: str) -> None:
    """Refuse two runs whose queries are not the same ones in the same order.

    Raises:
        InputError: They differ in their metrics, queries, groups, folds or thirds.
    """
    if set(first.values) != set(second.values):
        raise InputError(
            f"{direction}: one run has {', '.join(sorted(first.values))}, the other "
            f"{', '.join(sorted(second.values))}: score both with the same protocol"
        )
    for name in ("query", "group", "fold", "third", "tail_class", "label", "shots"):
        one, other = getattr(first, name), getattr(second, name)
        if (one is None) != (other is None) or (one is not None and not np.array_equal(one, other)):
            raise InputError(
                f"{direction}: the runs differ in the {name} of their queries ({len(first)} and {len(second)} "
                "queries): score both on the same rows in the same order"
            )
