"""Classes as clusters."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.cluster.methods.classes import class_clusters
from pipelines.errors import InputError


def clusters(**columns) -> list[int]:
    rows = len(next(iter(columns.values())))
    table = pa.table({"sample_id": [f"s{row}" for row in range(rows)], **columns})
    return class_clusters(table, list(columns), Path("a.parquet")).tolist()


def test_whole_numbers_keep_their_numbers() -> None:
    assert clusters(noun=[7, 0, 7, 3]) == [7, 0, 7, 3]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["b", "a", "b"], [1, 0, 1]),
        ([2**40, 5, 2**40], [1, 0, 1]),
        ([-1, 5, -1], [0, 1, 0]),
        ([1.5, 0.5, 1.5], [1, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        ([[2], [1, 2], [2]], [1, 0, 1]),
    ],
    ids=["strings", "too large", "negative", "floats", "booleans", "lists"],
)
def test_other_classes_are_numbered_in_sorted_order(values, expected) -> None:
    assert clusters(noun=values) == expected


def test_several_columns_make_pairs() -> None:
    assert clusters(verb=["cut", "cut", "wash", "cut"], noun=[5, 2, 2, 5]) == [1, 0, 2, 1]


def test_a_dictionary_column_is_read() -> None:
    assert clusters(noun=pa.array(["b", "a", "b"]).dictionary_encode()) == [1, 0, 1]


def test_missing_classes_are_counted_and_named() -> None:
    with pytest.raises(InputError, match=r"a\.parquet: 2 rows have no noun, first: s1, s2"):
        clusters(noun=["a", None, None])
