"""Head, middle and tail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.scores import frequency_edges, frequency_third


def test_distinct_sizes_are_cut_into_exact_thirds() -> None:
    size_n = np.random.default_rng(0).permutation(np.arange(10, 40))
    edges = frequency_edges(size_n)
    assert edges == (20, 30)
    assert np.bincount(frequency_third(size_n, edges)).tolist() == [10, 10, 10]


def test_a_size_goes_whole_to_the_third_of_its_middle() -> None:
    """Sorted: 1, then eight of size 2 (their middle is position 5 of 10), then 3: one size each third."""
    size_n = np.array([2, 2, 3, 2, 2, 1, 2, 2, 2, 2])
    edges = frequency_edges(size_n)
    assert edges == (2, 3)
    assert frequency_third(size_n, edges).tolist() == [1, 1, 2, 1, 1, 0, 1, 1, 1, 1]
    assert frequency_third(np.array([1.5, 2.2, 2.9, 3.0, 100]), edges).tolist() == [0, 1, 1, 2, 2]


def test_one_size_is_all_middle() -> None:
    edges = frequency_edges(np.full(5, 7))
    assert edges == (7, 8)
    assert frequency_third(np.full(5, 7), edges).tolist() == [1] * 5


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_thirds_are_ordered_and_no_worse_than_half_a_size_from_even(sizes) -> None:
    size_n = np.array(sizes)
    third = frequency_third(size_n, frequency_edges(size_n))
    assert (np.diff(third[np.argsort(size_n, kind="stable")]) >= 0).all()
    largest = np.bincount(size_n).max()
    below = np.cumsum(np.bincount(third, minlength=3))[:2]
    assert abs(below[0] - len(sizes) / 3) <= largest / 2
    assert abs(below[1] - 2 * len(sizes) / 3) <= largest / 2


@pytest.mark.parametrize("sizes", [[], [1.0, -1.0], [np.nan]])
def test_refusals(sizes) -> None:
    with pytest.raises(InputError, match="cluster size"):
        frequency_edges(np.array(sizes))
