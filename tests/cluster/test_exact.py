"""Sums rounded once, against `math.fsum` and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from pipelines.cluster import exact
from pipelines.cluster.exact import expansions, rounded_sums


def terms(count: int, sums: int, exponents: int) -> np.ndarray:
    """Products of float32 numbers ``(count, sums)``, of various sizes; half of them nearly cancel another."""
    rng = np.random.default_rng(count)
    factors = rng.standard_normal((2, count, sums)).astype(np.float32).astype(np.float64)
    products = factors[0] * factors[1] * 2.0 ** rng.integers(-exponents, exponents + 1, (count, sums))
    products[: count // 2] = -products[count - count // 2 :]
    products[0] *= 1 + 2.0**-40
    return rng.permuted(products, axis=0)


@pytest.mark.parametrize("exponents", [0, 5, 60, 240])
@pytest.mark.parametrize("count", [2, 3, 8, 101])
def test_they_are_those_of_fsum(count, exponents) -> None:
    terms_tp = terms(count, 50, exponents)
    assert rounded_sums(terms_tp).tolist() == [math.fsum(column) for column in terms_tp.T.tolist()]


@pytest.mark.parametrize("count", [1, 3, 101])
def test_expansions_have_the_same_sums_exactly(count) -> None:
    terms_tp = terms(count, 20, 60)
    short_mp = expansions(terms_tp)
    assert len(short_mp) <= 10
    assert [sum(map(Fraction, column)) for column in short_mp.T.tolist()] == [
        sum(map(Fraction, column)) for column in terms_tp.T.tolist()
    ]


def test_half_way_between_two_numbers_each_bit_counts(monkeypatch) -> None:
    """To the even one, unless something is left; one by one only what two passes can't tell."""
    asked = []
    monkeypatch.setattr(exact.math, "fsum", lambda numbers, fsum=math.fsum: asked.append(1) or fsum(numbers))
    half, least = 2.0**-53, 2.0**-298
    columns = [
        ([1, half, 0, 0], 1.0),
        ([1, 3 * half, 0, 0], 1 + 4 * half),
        ([1, half, least, 0], 1 + 2 * half),
        ([1, half, -least, 0], 1.0),
        ([1, 3 * half, -least, 0], 1 + 2 * half),
        ([-1, -half, -least, 0], -1 - 2 * half),
        ([1, half, 2.0**-120, -(2.0**-120)], 1.0),
        ([least, -1, 1, 0], least),
        ([-0.0, 0.0, -0.0, 0.0], 0.0),
        ([1, half / 2, half / 4, 2.0**-190], 1.0),
    ]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        asked.clear()
        terms_tp = np.array([column for column, _ in columns])[:, order].T
        assert rounded_sums(terms_tp).tolist() == [expected for _, expected in columns]
        assert len(asked) <= 5  # where there are bits below what half way takes
