import pytest

from pipelines.advise.choice import MOST, Candidate, candidate, choose
from pipelines.advise.stability import Agreement, Spread, predicted


def agreement(averaged: int, correlation: float, pairs: int = 3) -> Agreement:
    return Agreement(averaged, pairs, Spread(correlation, correlation, correlation))


def test_the_fewest_clusterings_that_were_measured_to_agree() -> None:
    found = candidate(50, 0.4, [agreement(1, 0.7), agreement(2, 0.91), agreement(4, 0.95), agreement(8, 0.97, 0)])
    assert (found.clusterings, found.agreement, found.measured) == (2, 0.91, True)


def test_where_none_does_the_fewest_are_predicted_from_the_largest_means() -> None:
    """Means of 4 agree as 0.8: 9 * 0.2 / 0.8 = 2.25 times as many are needed."""
    found = candidate(50, 0.4, [agreement(1, 0.5), agreement(2, 0.6), agreement(4, 0.8), agreement(8, 0.99, 0)])
    assert (found.clusterings, found.measured) == (9, False)
    assert found.agreement == pytest.approx(0.9)


def test_one_that_takes_too_many_has_no_number() -> None:
    found = candidate(50, 0.4, [agreement(1, 0.2), agreement(2, 0.3, 0)])
    assert found.clusterings is None
    assert found.agreement == pytest.approx(predicted(0.2, MOST)) == pytest.approx(0.2 * MOST / (1 + 0.2 * (MOST - 1)))
    assert candidate(50, 0.4, [agreement(1, -0.1)]).clusterings is None


@pytest.mark.parametrize(
    ("candidates", "k"),
    [
        ([(50, 0.4, 9, 0.9), (100, 0.4, 4, 0.91)], 100),  # fewer clusterings
        ([(100, 0.4, 4, 0.92), (50, 0.4, 4, 0.91)], 50),  # as many, the smaller k
        ([(50, 0.4, None, 0.7), (100, 0.4, 32, 0.9)], 100),  # a number at all
        ([(50, 0.4, None, 0.7), (100, 0.4, None, 0.8)], 100),  # the closest
        ([(50, 0.1, 1, 0.99), (100, 0.4, 9, 0.9)], 100),  # with a tail
        ([(50, 0.1, 1, 0.99), (100, 0.1, 9, 0.9)], 50),  # no tail anywhere
    ],
)
def test_the_choice(candidates: list[tuple], k: int) -> None:
    made = [Candidate(number, gini, clusterings, r, False) for number, gini, clusterings, r in candidates]
    assert choose(made).k == k
