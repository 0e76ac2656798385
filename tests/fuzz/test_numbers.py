"""Schedules, shifts, losses and ranks of any numbers: the oracle's value, or a refusal."""

import math

import numpy as np
import pytest
import torch
from contrast.oracles import batch, info_nce_loop, max_margin_loop, related
from contrast.oracles import scores as score_rows
from hypothesis import given
from hypothesis import strategies as st
from scores.oracles import ranks_of

from pipelines.contrast import CosineSchedule, cluster_shifts, info_nce, max_margin
from pipelines.scores import DenseScores, retrieval_ranks

from .conftest import accepted, tries

NUMBER = st.floats() | st.floats(0, 1) | st.integers(-(2**62), 2**62) | st.sampled_from([0, 1, -1, 5e-324])
RANGE = st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf])


@tries(0.1)
@given(alpha=NUMBER, oscillations=NUMBER, steps=st.integers(-3, 400) | st.integers(0, 10**30), mean=st.floats(-1, 1))
def test_schedules(alpha: float, oscillations: float, steps: int, mean: float) -> None:
    schedule = accepted(lambda: CosineSchedule.from_oscillations(alpha, steps, oscillations, mean=mean))
    if schedule is None:
        return
    low, high = schedule.range(steps)
    assert schedule.lower_bound() <= low <= high or math.isclose(schedule.lower_bound(), low)
    assert math.isfinite(low)
    assert math.isfinite(high)
    if steps <= 400:
        values = [schedule(step) for step in range(steps)]
        assert (low, high) == (min(values), max(values))


@tries(0.06)
@given(
    sizes=st.lists(NUMBER | st.integers(0, 1000), max_size=8),
    of_smallest=RANGE,
    of_largest=RANGE,
    rule=st.sampled_from(["linear", "log", "rank", "other"]),
)
def test_shifts(sizes: list[float], of_smallest: float, of_largest: float, rule: str) -> None:
    shift_n = accepted(lambda: cluster_shifts(sizes, of_smallest, of_largest, rule))
    if shift_n is None:
        return
    assert shift_n.isfinite().all()
    low, high = sorted((of_smallest, of_largest))
    assert all(low <= shift <= high for shift in shift_n.tolist())
    by_size = sorted(zip(sizes, shift_n.tolist(), strict=True), key=lambda pair: pair[0])
    placed = [shift for _, shift in by_size]
    assert placed == sorted(placed, reverse=of_smallest > of_largest)


PAIRS = {
    "n": st.integers(1, 9),
    "d": st.integers(1, 5),
    "seed": st.integers(0, 10_000),
    "tile": st.integers(1, 10) | st.none(),
    "level": st.floats(1e-3, 10) | NUMBER,
    "groups": st.integers(1, 4) | st.none(),
    "mode": st.sampled_from(["mask", "count"]),
}


@pytest.mark.parametrize("name", ["infonce", "max-margin"])
def test_losses(name: str) -> None:
    @tries(0.06)
    @given(**PAIRS)
    def run(n: int, d: int, seed: int, tile: int | None, level: float, groups: int | None, mode: str) -> None:
        media_nd, text_nd, value_n = batch(n, d, seed)
        group = None if groups is None else [row % groups for row in range(n)]
        options = {"tile_size": tile, "related": mode}
        if group is not None:
            options["media_group_n"] = torch.tensor(group)
        loss = info_nce if name == "infonce" else max_margin
        found = accepted(lambda: loss(media_nd, text_nd, value_n * float(level), **options))
        levels = (value_n * float(level)).tolist()
        if found is None:
            assert not all(0 < each < math.inf for each in levels)
            return
        if not all(1e-3 < each < 1e6 for each in levels):
            return  # the loop itself is out of range
        same, rows = related(n, group, None), score_rows(media_nd, text_nd)
        args = (levels, same, mode) if name != "infonce" else ([levels, levels], same, mode)
        expected = (info_nce_loop if name == "infonce" else max_margin_loop)(rows, *args)
        assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)

    run()


@tries(0.07)
@given(
    n=st.integers(1, 7),
    m=st.integers(1, 7),
    values=st.lists(st.floats(width=32) | st.integers(0, 3), min_size=49, max_size=49),
    pairs=st.lists(st.tuples(st.integers(-1, 7), st.integers(-1, 7)), max_size=8),
    ties=st.sampled_from(["index", "optimistic", "pessimistic"]),
)
def test_ranks(n: int, m: int, values: list[float], pairs: list[tuple[int, int]], ties: str) -> None:
    scores_nm = np.array(values[: n * m], np.float64).reshape(n, m)
    media_p, text_p = np.array(pairs, np.int64).reshape(-1, 2).T
    found = accepted(lambda: retrieval_ranks(DenseScores(scores_nm), media_p, text_p, ties=ties))
    if found is None:
        inside = all(0 <= a < n and 0 <= b < m for a, b in pairs)
        assert not (pairs and inside and np.isfinite(scores_nm).all())
        return
    for ranks, matrix, (query_p, item_p), queries in (
        (found[1], scores_nm, (media_p, text_p), n),
        (found[0], scores_nm.T, (text_p, media_p), m),
    ):
        positives = [[int(b) for a, b in zip(query_p, item_p, strict=True) if a == query] for query in range(queries)]
        expected = ranks_of(matrix.tolist(), positives, ties)
        assert (ranks.query.tolist(), ranks.rank.tolist(), ranks.tied.tolist()) == expected
