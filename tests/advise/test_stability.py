"""Agreement of shifts against scipy, and against what can be counted by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from pipelines.advise.stability import agreements, disjoint_pairs, needed, predicted, size_gini


def sizes(clusterings: int, samples: int = 60, seed: int = 0) -> np.ndarray:
    """Cluster sizes that have a part in common."""
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 40, samples) + rng.integers(1, 30, (clusterings, samples))).astype(np.int64)


@pytest.mark.parametrize(
    ("clusterings", "averaged", "pairs"), [(2, 1, 1), (8, 1, 28), (4, 2, 3), (6, 2, 30), (8, 4, 30)]
)
def test_pairs_of_groups_that_share_no_clustering(clusterings: int, averaged: int, pairs: int) -> None:
    found = disjoint_pairs(clusterings, averaged)
    assert len(found) == pairs
    for one, other in found:
        assert len({*one, *other}) == 2 * averaged == len(one) + len(other)
        assert {*one, *other} <= set(range(clusterings))
    assert found == disjoint_pairs(clusterings, averaged)


def test_all_pairs_where_they_are_few() -> None:
    assert disjoint_pairs(4, 2) == [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]


@pytest.mark.parametrize("rule", ["linear", "log", "rank"])
def test_agreement_of_means_is_scipys(rule: str) -> None:
    """Against a loop over seeds in which shifts are written out."""
    size_sn = sizes(4)
    shift_sn = np.stack([places(size_n, rule) for size_n in size_sn])
    single, double, *_ = agreements(size_sn, rule)
    pairs = {
        1: [(shift_sn[one], shift_sn[other]) for one, other in itertools.combinations(range(4), 2)],
        2: [(shift_sn[[0, one]].mean(axis=0), shift_sn[list({1, 2, 3} - {one})].mean(axis=0)) for one in (1, 2, 3)],
    }
    for found in (single, double):
        expected = pairs[found.averaged]
        assert found.pairs == len(expected)
        for spread, correlation in ((found.rank_correlation, spearmanr), (found.correlation, pearsonr)):
            values = [correlation(one, other).statistic for one, other in expected]
            assert (spread.value, spread.low, spread.high) == pytest.approx((np.mean(values), min(values), max(values)))


def places(size_n: np.ndarray, rule: str) -> np.ndarray:
    """Shifts in the range 0 .. 1."""
    if rule == "log":
        size_n = np.log(size_n)
    if rule == "rank":
        size_n = np.searchsorted(np.unique(size_n), size_n)
    return (size_n - size_n.min()) / (size_n.max() - size_n.min())


def test_samples_that_change_thirds() -> None:
    """Nine samples in thirds of three; in the second clustering two have changed places, in the third all have."""
    first = [1, 1, 1, 2, 2, 2, 3, 3, 3]
    size_sn = np.array([first, [2, 1, 1, 1, 2, 2, 3, 3, 3], [2, 2, 2, 3, 3, 3, 1, 1, 1]])
    changed = agreements(size_sn, "linear")[0].changed_thirds
    assert changed.low == pytest.approx(100 * 2 / 9)
    assert changed.high == 100
    assert changed.value == pytest.approx(100 * (2 / 9 + 1 + 8 / 9) / 3)


def test_what_there_are_too_few_clusterings_for_is_predicted_from_the_largest_means() -> None:
    single, double, four, eight = agreements(sizes(5), "log")
    assert [each.averaged for each in (single, double, four, eight)] == [1, 2, 4, 8]
    assert [each.pairs for each in (single, double, four, eight)] == [10, 15, 0, 0]
    r = double.rank_correlation
    assert four.rank_correlation.value == pytest.approx(2 * r.value / (1 + r.value))
    assert eight.rank_correlation.low == pytest.approx(4 * r.low / (1 + 3 * r.low))
    assert (eight.correlation, eight.changed_thirds) == (None, None)


def test_predictions_hold_for_measurements_of_equal_variance() -> None:
    """Means of 4 of 400 noisy measurements of one quantity, against what single ones let expect."""
    rng = np.random.default_rng(0)
    measured_sn = rng.standard_normal(20_000) + 1.5 * rng.standard_normal((8, 20_000))
    single = np.corrcoef(measured_sn[0], measured_sn[1])[0, 1]
    four = np.corrcoef(measured_sn[:4].mean(axis=0), measured_sn[4:].mean(axis=0))[0, 1]
    assert predicted(single, 4) == pytest.approx(four, abs=0.02)
    assert single == pytest.approx(1 / (1 + 1.5**2), abs=0.02)


@pytest.mark.parametrize("correlation", [0.05, 0.4, 0.9, 0.99])
def test_as_many_as_are_needed_are_predicted_to_suffice(correlation: float) -> None:
    assert predicted(correlation, needed(correlation, 0.9)) == pytest.approx(0.9)


@pytest.mark.parametrize("correlation", [0.0, -0.3])
def test_what_is_not_correlated_stays_so(correlation: float) -> None:
    assert predicted(correlation, 8) == correlation
    assert needed(correlation, 0.9) == math.inf


def test_clusters_of_one_size_agree_with_one_another_alone() -> None:
    alike = [5] * 10
    single = agreements(np.array([alike, alike, [6] * 6 + [4] * 4]), "log")[0]
    assert (single.rank_correlation.low, single.rank_correlation.high) == (0.0, 1.0)
    assert single.correlation.value == pytest.approx(1 / 3)


def test_gini_of_cluster_sizes() -> None:
    assert size_gini(np.array([0, 0, 1, 1])) == 0
    assert size_gini(np.array([0, 0, 0, 7])) == pytest.approx(0.25)
