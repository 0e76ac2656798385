"""Classes as clusters."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.cluster.methods.classes import class_clusters, class_columns
from pipelines.errors import InputError


def clusters(**columns) -> list[int]:
    rows = len(next(iter(columns.values())))
    table = pa.table({"sample_id": [f"s{row}" for row in range(rows)], **columns})
    return class_clusters(class_columns(table, list(columns), Path("a.parquet"))).tolist()


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


@pytest.mark.parametrize("part_rows", [1, 3, 4, 100])
def test_parts_change_nothing(part_rows, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.cluster.methods.classes._PART_ROWS", part_rows)
    verbs, nouns = ["cut", "wash", "cut", "add"] * 5, [5, 2, 2, 5, 1] * 4
    pairs = sorted(set(zip(verbs, nouns, strict=True)))
    expected = [pairs.index(pair) for pair in zip(verbs, nouns, strict=True)]
    assert clusters(verb=verbs, noun=nouns) == expected
    assert clusters(noun=verbs) == [sorted(set(verbs)).index(verb) for verb in verbs]
