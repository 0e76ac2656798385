import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contrast import cluster_shifts
from pipelines.errors import InputError

RULES = ["linear", "log", "rank"]


def test_rules_by_hand() -> None:
    sizes = [1, 10, 100, 10]
    expected = {
        "linear": [0.1, 0.1 + 0.2 * 9 / 99, 0.3, 0.1 + 0.2 * 9 / 99],
        "log": [0.1, 0.2, 0.3, 0.2],
        "rank": [0.1, 0.2, 0.3, 0.2],
    }
    for rule, values in expected.items():
        assert cluster_shifts(sizes, 0.1, 0.3, rule).tolist() == pytest.approx(values, rel=1e-14)
    assert cluster_shifts([1, 2, 100, 101], 0, 3, "rank").tolist() == [0, 1, 2, 3]
    assert cluster_shifts([2, 6, 32], 0, 4, "log").tolist() == pytest.approx([0, math.log2(3), 4])


@pytest.mark.parametrize("make", [list, np.array, torch.tensor, lambda x: np.array(x, dtype=np.float32)])
def test_takes_lists_arrays_and_tensors(make: object) -> None:
    shift_n = cluster_shifts(make([3, 1, 2]), 0.05, 0.2)
    assert shift_n.dtype == torch.float64
    assert shift_n.tolist() == [0.2, 0.05, 0.125]


@given(
    st.lists(st.integers(1, 10_000), min_size=2, max_size=40).filter(lambda sizes: len(set(sizes)) > 1),
    st.sampled_from(RULES),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_shifts_fill_the_range_and_grow_with_size(sizes: list[int], rule: str, low: float, width: float) -> None:
    shifts = cluster_shifts(sizes, low, low + width, rule).tolist()
    assert min(shifts) == low
    assert max(shifts) == low + width
    by_size = [shift for _, shift in sorted(zip(sizes, shifts, strict=True))]
    assert all(a <= b + 1e-15 for a, b in itertools.pairwise(by_size))
    once = {size: shift for size, shift in zip(sizes, shifts, strict=True)}
    assert cluster_shifts(list(once), low, low + width, rule).tolist() == list(once.values())


@pytest.mark.parametrize("rule", RULES)
def test_falling_shifts_are_rising_ones_in_a_mirror(rule: str) -> None:
    sizes, train = [20, 0, 2, 1000, 5], [5, 20, 80]
    rising = cluster_shifts(sizes, -0.2, -0.05, rule, reference=train)
    falling = cluster_shifts(sizes, 0.2, 0.05, rule, reference=train)
    assert falling.tolist() == (-rising).tolist()
    assert falling.tolist()[1:] == [0.2, 0.2, 0.05, 0.2]


@pytest.mark.parametrize("rule", RULES)
def test_one_size_gives_the_middle_and_says_so(rule: str) -> None:
    with pytest.warns(UserWarning, match=r"all clusters have 7 samples.*0.05 .. 0.2"):
        assert cluster_shifts([7, 7, 7], 0.05, 0.2, rule).tolist() == [0.125] * 3


@pytest.mark.parametrize("rule", RULES)
def test_unseen_clusters_are_as_the_rarest_and_move_nothing_else(rule: str) -> None:
    known = cluster_shifts([5, 20, 80], 0.05, 0.2, rule).tolist()
    assert cluster_shifts([5, 20, 80, 0], 0.05, 0.2, rule).tolist() == [*known, 0.05]


@pytest.mark.parametrize("rule", RULES)
def test_reference_sizes_set_the_scale(rule: str) -> None:
    train = [5, 20, 80]
    known = cluster_shifts(train, 0.05, 0.2, rule).tolist()
    found = cluster_shifts([20, 0, 2, 1000], 0.05, 0.2, rule, reference=[*train, 0]).tolist()
    assert found == [known[1], 0.05, 0.05, 0.2]
    between = cluster_shifts([30], 0.05, 0.2, rule, reference=train).item()
    assert between == known[1] if rule == "rank" else known[1] < between < known[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2], 0.1, math.inf), "0.1 .. inf; give finite numbers"),
        (([1, 2], 0.1, 0.2, "square"), "'linear', 'log' or 'rank'"),
        (([1, -2], 0.1, 0.2), "row 1 is -2"),
        (([1.0, float("nan")], 0.1, 0.2), "row 1 is nan"),
        (([0, 0], 0.1, 0.2), "no cluster has a training sample"),
        (([], 0.1, 0.2), "one size per sample"),
    ],
)
def test_wrong_input_is_refused(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        cluster_shifts(*arguments)
