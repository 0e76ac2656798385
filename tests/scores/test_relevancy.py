"""Relevancy from verb and noun classes."""

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.scores import class_relevancy, matrix_relevancy


def test_classes_equal_the_formula() -> None:
    rng = np.random.default_rng(0)
    verbs = rng.integers(0, 4, 60)
    nouns = [rng.integers(0, 9, rng.integers(1, 5)).tolist() for _ in range(60)]
    index_m = rng.permutation(60)[:25]
    relevancy = class_relevancy(verbs, nouns, index_m)
    assert relevancy.shape == (60, 25)
    actual_nm = relevancy.grades[relevancy.rows(slice(0, 60))]
    for row in range(60):
        for column, clip in enumerate(index_m):
            one, other = set(nouns[row]), set(nouns[clip])
            expected = 0.5 * (verbs[row] == verbs[clip]) + 0.5 * len(one & other) / len(one | other)
            assert actual_nm[row, column] == pytest.approx(expected, rel=1e-15)
            assert (actual_nm[row, column] == 1) == (verbs[row] == verbs[clip] and one == other)
    turned = relevancy.transposed()
    np.testing.assert_array_equal(turned.grades[turned.rows(slice(3, 11))], actual_nm.T[3:11])


def test_grades_are_those_of_some_pair() -> None:
    relevancy = class_relevancy([0, 0, 1, 2], [[1], [1, 2], [2, 3, 4], [1]], np.array([0]))
    # Not 0.625: the clips that share a quarter of their nouns are of different verbs.
    assert relevancy.grades.tolist() == [0, 0.125, 0.25, 0.5, 0.75, 1]
    assert relevancy.grades[relevancy.codes[0]].tolist() == [1, 0.75, 0, 0.5]
    assert class_relevancy([0, 0], [[1], [1, 2]], np.array([0])).grades.tolist() == [0, 0.75, 1]


def test_equal_annotations_share_a_key() -> None:
    relevancy = class_relevancy([3, 3, 3], [[1, 2], [2, 1, 1], [1]], np.array([0, 2]))
    assert relevancy.codes.shape == (2, 2)
    assert relevancy.grades[relevancy.rows(slice(0, 3))].tolist() == [[1, 0.75], [1, 0.75], [0.75, 1]]


def test_matrix() -> None:
    values_nm = np.array([[0.5, 1.0, 0.25], [1.0, 1.0, 0.5]])
    relevancy = matrix_relevancy(values_nm)
    assert relevancy.grades.tolist() == [0, 0.25, 0.5, 1]
    np.testing.assert_array_equal(relevancy.grades[relevancy.rows(slice(0, 2))], values_nm)


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_matrix_refuses_values_outside_0_to_1(value: float) -> None:
    with pytest.raises(InputError, match="numbers from 0 to 1"):
        matrix_relevancy(np.array([[0.5, value]]))


def test_other_refusals() -> None:
    with pytest.raises(InputError, match="5000 distinct values, at most 4096"):
        matrix_relevancy(np.linspace(0, 1, 5000)[None])
    with pytest.raises(InputError, match="clip row 1 has no noun class"):
        class_relevancy([0, 1], [[3], []], np.array([0]))
    with pytest.raises(InputError, match="2 verb classes but 1 noun lists"):
        class_relevancy([0, 1], [[3]], np.array([0]))
