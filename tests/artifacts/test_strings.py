"""Strings as a column holds them, read as a list would be."""

import pickle

import pyarrow as pa
import pytest

from pipelines.artifacts import strings
from pipelines.artifacts.strings import StringList, string_column

COLUMN = pa.chunked_array([["a", "b"], [], ["c", None, "é"]], pa.string())


def test_it_reads_as_the_list_it_stands_for(monkeypatch) -> None:
    monkeypatch.setattr(strings, "_BLOCK_ROWS", 2)
    found, expected = StringList(COLUMN), ["a", "b", "c", None, "é"]
    assert list(found) == expected
    assert [found[row] for row in range(-5, 5)] == expected * 2
    assert (len(found), found.index("c"), "é" in found, "d" in found) == (5, 2, True, False)
    assert list(found[1:4]) == ["b", "c", None]
    assert pickle.loads(pickle.dumps(found)) == expected
    with pytest.raises(IndexError):
        found[5]


def test_it_is_equal_to_what_has_the_same_strings() -> None:
    found = StringList(COLUMN)
    assert found == StringList(pa.chunked_array([COLUMN.combine_chunks()]))
    assert found == ["a", "b", "c", None, "é"]
    assert found != ["a", "b", "c", None]
    assert found != {"a"}


def test_a_column_is_not_copied() -> None:
    assert string_column(StringList(COLUMN)) is COLUMN
    assert string_column(["a", "b"]).equals(COLUMN.slice(0, 2))
