"""Verdicts over seeds and queries: against explicit loops, and against worlds in which the truth is known."""

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import InputError
from pipelines.scores import QueryScores, judge
from pipelines.scores.bootstrap import summarise
from pipelines.scores.queries import DIRECTIONS

MEDIA, TEXTS = 120, 2


class World:
    """Queries of known difficulty, and runs that differ by their setting, their seed and chance."""

    def __init__(self, seed: int, *, run_spread: float = 0.25) -> None:
        self.random = np.random.default_rng(seed)
        self.run_spread = run_spread
        self.difficulty = self.random.normal(size=MEDIA)
        self.third = self.random.integers(0, 3, MEDIA).astype(np.int8)

    def run(self, gain: float = 0.0) -> dict[str, QueryScores]:
        group = {"text_to_media": np.repeat(np.arange(MEDIA), TEXTS), "media_to_text": np.arange(MEDIA)}
        luck = self.random.normal(scale=self.run_spread)
        queries = {}
        for direction in DIRECTIONS:
            of = group[direction]
            margin = gain + luck - self.difficulty[of] + self.random.normal(scale=0.7, size=len(of))
            rank = np.where(margin > 0, 1, 20)
            queries[direction] = QueryScores(
                np.arange(len(of)), of, {"rank": rank}, np.zeros(len(of), bool), of % 2, third=self.third[of]
            )
        return queries

    def runs(self, count: int, gain: float = 0.0) -> list[dict[str, QueryScores]]:
        return [self.run(gain) for _ in range(count)]


def one_interval(first, second, direction: str, comparisons: int) -> tuple[float, float, float]:
    """R@1 of all queries, by loops: no folds are left to chance, all groups are in both."""
    table = []
    for side in (first, second):
        rows = []
        for run in side:
            q, per_group = run[direction], dict.fromkeys(range(MEDIA), 0.0)
            values = []
            for fold in (0, 1):
                inside = [row for row in range(len(q)) if q.fold[row] == fold]
                hits = [100.0 * (q.values["rank"][row] <= 1) for row in inside]
                mean = sum(hits) / len(hits)
                values.append(mean)
                for row, hit in zip(inside, hits, strict=True):
                    per_group[int(q.group[row])] += (hit - mean) / len(hits) / 2
            rows.append((sum(values) / 2, [per_group[g] for g in range(MEDIA)]))
        table.append(rows)
    value = sum(m for m, _ in table[1]) / len(table[1]) - sum(m for m, _ in table[0]) / len(table[0])
    seeds, both, centre = [], 0.0, []
    for rows in table:
        count = len(rows)
        mean = sum(m for m, _ in rows) / count
        seeds.append(sum((m - mean) ** 2 for m, _ in rows) / (count - 1) / count)
        centre.append([sum(row[1][g] for row in rows) / count for g in range(MEDIA)])
        left = sum((row[1][g] - centre[-1][g]) ** 2 for row in rows for g in range(MEDIA))
        both += left / (count * (count - 1)) * MEDIA / (MEDIA - 1)
    queries = sum((centre[1][g] - centre[0][g]) ** 2 for g in range(MEDIA)) * MEDIA / (MEDIA - 1)
    variance = max(sum(seeds) + queries - both, sum(seeds), queries)
    freedom = variance**2 / (
        sum(part**2 / (len(rows) - 1) for part, rows in zip(seeds, table, strict=True)) + queries**2 / (MEDIA - 1)
    )
    half = stats.t.ppf(1 - 0.025 / comparisons, freedom) * variance**0.5
    return value, value - half, value + half


@pytest.mark.parametrize("comparisons", [1, 7])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_interval_equals_the_explicit_loop(direction: str, comparisons: int) -> None:
    world = World(0)
    first, second = world.runs(3), world.runs(5, gain=0.4)
    verdict = judge(first, second, comparisons=comparisons)["overall"][direction]["recall@1"]
    assert (verdict.value, verdict.low, verdict.high) == pytest.approx(
        one_interval(first, second, direction, comparisons), rel=1e-10
    )


def test_values_are_differences_of_the_scores() -> None:
    world = World(1)
    first, second = world.runs(2), world.runs(3)
    scores = [[summarise(run, resamples=0) for run in side] for side in (first, second)]
    for segment, directions in judge(first, second).items():
        for direction, metrics in directions.items():
            for metric, verdict in metrics.items():
                means = [np.mean([score[segment][direction][metric]["value"] for score in side]) for side in scores]
                assert verdict.value == pytest.approx(means[1] - means[0], abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_settings_are_seldom_called_different(seeds: int) -> None:
    """At most 5% of A/A comparisons get a verdict: of the 200 made here up to 20 may, by chance (1 in 1000)."""
    world = World(seeds)
    words = [judge(world.runs(seeds), world.runs(seeds))["overall"]["mean"]["recall@1"].word for _ in range(200)]
    assert sum(word != "no difference seen" for word in words) <= 20


def test_queries_alone_would_find_differences_where_there_are_none() -> None:
    """What `judge` is for: the same worlds, told apart by intervals over queries, as one run a side allows."""
    from pipelines.scores import bootstrap

    world, found = World(3), 0
    for _ in range(40):
        difference = bootstrap.compare(world.run(), world.run(), resamples=200)["overall"]["mean"]["recall@1"]
        found += difference["low"] > 0 or difference["high"] < 0
    assert found >= 10


def test_a_true_difference_is_found_and_has_its_sign() -> None:
    world = World(4)
    better = judge(world.runs(5), world.runs(5, gain=1.5))["overall"]["mean"]
    assert better["recall@1"].word == "better"
    assert better["recall@1"].low > 0
    assert better["mean_rank"].word == "better"  # fewer places
    assert better["mean_rank"].high < 0
    assert judge(world.runs(5, gain=1.5), world.runs(5))["overall"]["mean"]["recall@1"].word == "worse"


def test_one_seed_a_side_gets_no_verdict() -> None:
    world = World(5)
    verdict = judge(world.runs(1), world.runs(5, gain=3.0))["overall"]["mean"]["recall@1"]
    assert (verdict.low, verdict.high, verdict.words) == (None, None, "needs more seeds")
    assert verdict.value > 0


def test_no_difference_says_how_large_it_could_be() -> None:
    world = World(6)
    verdict = judge(world.runs(3), world.runs(3))["overall"]["mean"]["recall@1"]
    assert verdict.words == f"no difference seen (could be up to {max(-verdict.low, verdict.high):.1f})"


def test_more_comparisons_make_wider_intervals() -> None:
    world = World(7)
    first, second = world.runs(4), world.runs(4)
    alone, of_eight = (judge(first, second, comparisons=count)["tail"]["mean"]["recall@5"] for count in (1, 8))
    assert of_eight.high - of_eight.low > 1.2 * (alone.high - alone.low)


def test_runs_that_never_differ_have_an_interval_of_no_width() -> None:
    run = World(8).run()
    verdict = judge([run, run], [run, run])["overall"]["mean"]["recall@1"]
    assert (verdict.value, verdict.low, verdict.high, verdict.word) == (0.0, 0.0, 0.0, "no difference seen")


def test_refuses_other_queries_and_no_runs() -> None:
    world = World(9)
    run = world.run()
    other = {
        name: QueryScores(q.query[1:], q.group[1:], {"rank": q.values["rank"][1:]}, q.tied[1:], q.fold[1:])
        for name, q in run.items()
    }
    with pytest.raises(InputError, match="differ in the query"):
        judge([run], [other])
    with pytest.raises(InputError, match="has no run"):
        judge([run], [])
