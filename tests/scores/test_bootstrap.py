"""Intervals against a naive loop that draws the same media."""

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.scores import QueryScores, bootstrap, compare, summarise
from pipelines.scores.queries import DIRECTIONS, SEGMENTS
from pipelines.scores.thirds import THIRDS

from .oracles import rank_metrics

RESAMPLES = 60


def made_queries(seed: int, *, media: int = 30, folds: int = 1, levels: int = 15) -> dict[str, QueryScores]:
    """Random ranks of one query a medium and of up to three texts per medium; group ids have gaps."""
    rng = np.random.default_rng(seed)
    media_rows = np.sort(np.random.default_rng(0).permutation(2 * media)[:media])
    text_group = np.repeat(media_rows, np.random.default_rng(1).integers(1, 4, media))
    queries = {}
    for direction, group in zip(DIRECTIONS, (text_group, media_rows), strict=True):
        queries[direction] = QueryScores(
            query=np.arange(len(group)),
            group=group,
            values={"rank": rng.integers(1, levels, len(group))},
            tied=np.zeros(len(group), dtype=bool),
            fold=group * folds // (2 * media),
            third=np.random.default_rng(2).integers(0, 3, len(group)).astype(np.int8),
        )
    return queries


def loop_samples(queries, resamples: int, seed: int) -> dict[tuple[str, str, str], list[float]]:
    """Each metric of each resample, by repeating the ranks of every drawn medium."""
    per_fold = []
    for fold in sorted(set(queries["text_to_media"].fold.tolist())):
        groups = sorted({int(g) for q in queries.values() for g, f in zip(q.group, q.fold, strict=True) if f == fold})
        rng = np.random.default_rng([seed, fold])
        samples: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(resamples):
            drawn = [groups[i] for i in rng.integers(0, len(groups), len(groups))]
            for segment in SEGMENTS:
                for direction in DIRECTIONS:
                    q = queries[direction]
                    ranks = [
                        int(rank)
                        for group in drawn
                        for rank, own, third in zip(q.values["rank"], q.group, q.third, strict=True)
                        if own == group and segment in ("overall", THIRDS[third])
                    ]
                    metrics = rank_metrics(ranks) if ranks else dict.fromkeys(rank_metrics([1]), np.nan)
                    for metric, value in metrics.items():
                        samples.setdefault((segment, direction, metric), []).append(value)
        per_fold.append(samples)
    table = {key: np.nanmean([samples[key] for samples in per_fold], axis=0) for key in per_fold[0]}
    first, second = DIRECTIONS
    for segment, direction, metric in list(table):
        if direction == first:
            both = table[segment, first, metric] + table[segment, second, metric]
            table[segment, "mean", metric] = both / 2
    return table


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("draws_at_once", [1, 70, 2**20])
def test_intervals_equal_the_naive_loop(folds: int, draws_at_once: int, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", draws_at_once)
    monkeypatch.setattr("pipelines.scores.queries.WEIGHTS_AT_ONCE", draws_at_once)
    queries = made_queries(5, folds=folds)
    scores = summarise(queries, resamples=RESAMPLES, seed=11)
    expected = loop_samples(queries, RESAMPLES, 11)
    assert {(s, d, m) for s in scores for d in scores[s] for m in scores[s][d]} == set(expected)
    for (segment, direction, metric), samples in expected.items():
        entry = scores[segment][direction][metric]
        low_high = np.nanpercentile(samples, [2.5, 97.5])
        np.testing.assert_allclose([entry["low"], entry["high"]], low_high, rtol=1e-12, atol=1e-12)


def test_values_are_the_plain_statistics() -> None:
    queries = made_queries(5)
    scores = summarise(queries, resamples=0)
    for segment in SEGMENTS:
        of_both = []
        for direction in DIRECTIONS:
            q = queries[direction]
            chosen = q.third == THIRDS.index(segment) if segment != "overall" else np.ones(len(q), bool)
            of_both.append(rank_metrics(q.values["rank"][chosen].tolist()))
            for metric, value in of_both[-1].items():
                assert scores[segment][direction][metric] == {
                    "value": pytest.approx(value, rel=1e-14),
                    "low": None,
                    "high": None,
                }
        for metric in of_both[0]:
            expected = (of_both[0][metric] + of_both[1][metric]) / 2
            assert scores[segment]["mean"][metric]["value"] == pytest.approx(expected, rel=1e-14)


def test_comparison_pairs_the_draws() -> None:
    first, second = made_queries(5, folds=2), made_queries(6, folds=2)
    scores = compare(first, second, resamples=RESAMPLES, seed=3)
    old, new = (loop_samples(queries, RESAMPLES, 3) for queries in (first, second))
    whole_old, whole_new = summarise(first, resamples=0), summarise(second, resamples=0)
    for (segment, direction, metric), samples in old.items():
        entry = scores[segment][direction][metric]
        low_high = np.nanpercentile(new[segment, direction, metric] - samples, [2.5, 97.5])
        np.testing.assert_allclose([entry["low"], entry["high"]], low_high, rtol=1e-12, atol=1e-11)
        values = [whole[segment][direction][metric]["value"] for whole in (whole_old, whole_new)]
        assert entry["value"] == pytest.approx(values[1] - values[0], abs=1e-11)


def test_a_run_does_not_differ_from_itself() -> None:
    for directions in compare(made_queries(5), made_queries(5), resamples=20)["tail"].values():
        assert all(entry == {"value": 0.0, "low": 0.0, "high": 0.0} for entry in directions.values())


def test_comparison_refuses_other_queries_and_other_metrics() -> None:
    with pytest.raises(InputError, match="differ in the query of their queries"):
        compare(made_queries(5), made_queries(5, media=29))
    with pytest.raises(InputError, match="differ in the fold of their queries"):
        compare(made_queries(5), made_queries(5, folds=2))
    other = {
        name: QueryScores(q.query, q.group, {"mAP": q.values["rank"]}, q.tied, q.fold, third=q.third)
        for name, q in made_queries(5).items()
    }
    with pytest.raises(InputError, match="one run has rank, the other mAP"):
        compare(made_queries(5), other)


def test_queries_left_out_and_thirds_without_queries() -> None:
    group = np.arange(4)
    value = np.array([50.0, np.nan, 100.0, np.nan])
    queries = {
        name: QueryScores(
            group, group, {"mAP": value}, np.zeros(4, bool), np.zeros(4, int), third=np.array([0, 1, 2, 1], np.int8)
        )
        for name in DIRECTIONS
    }
    scores = summarise(queries, resamples=200)
    assert scores["overall"]["mean"]["mAP"]["value"] == 75.0
    assert (scores["overall"]["mean"]["mAP"]["low"], scores["overall"]["mean"]["mAP"]["high"]) == (50.0, 100.0)
    assert scores["middle"]["mean"]["mAP"] == {"value": None, "low": None, "high": None}
    without_thirds = {name: QueryScores(q.query, q.group, q.values, q.tied, q.fold) for name, q in queries.items()}
    assert list(summarise(without_thirds, resamples=0)) == ["overall"]
