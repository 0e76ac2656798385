"""Rows join on ids."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.artifacts import align, require_unique
from pipelines.errors import InputError

HERE = Path("file.parquet")


def ids(*chunks: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks])


def test_align_finds_rows_across_chunks() -> None:
    assert align(ids(["c"], ["a", "c"]), ids(["a", "b"], ["c"]), what="texts", path=HERE).tolist() == [2, 0, 2]


@pytest.mark.slow
def test_ids_of_more_than_2_gib_are_aligned() -> None:
    chunk = pa.array(["x" * 2**27])  # one buffer, which all chunks have
    present = pa.chunked_array([*[chunk] * 17, ["a"]])
    assert align(ids(["a"]), present, what="texts", path=HERE).tolist() == [17]


def test_align_says_how_many_are_missing_and_which_first() -> None:
    with pytest.raises(InputError) as caught:
        align(ids(["a", "x", "y"], ["z", "w"]), ids(["a"]), what="samples", path=HERE)
    assert str(caught.value) == "file.parquet: 4 of 5 samples are missing there, first: x, y; it holds a"


def test_unique_ids_pass() -> None:
    require_unique(ids(["a"], ["b"]), "sample_id", HERE)


def test_repeated_ids_are_counted_and_named() -> None:
    with pytest.raises(InputError, match=r"2 values of sample_id occur more than once, first: a, b"):
        require_unique(ids(["a", "b", "c"], ["b", "a", "a"]), "sample_id", HERE)


def test_null_ids_are_refused() -> None:
    with pytest.raises(InputError, match="2 rows have no sample_id"):
        require_unique(ids(["a", None], [None]), "sample_id", HERE)
