"""Columns as the text that the file holds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import ANNOTATIONS, read_table, text_column
from pipelines.errors import InputError

HERE = Path("a.parquet")
NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ab\xff\xfe")]
)


def text(values, kind=None) -> list:
    return text_column(pa.chunked_array([pa.array(values, kind)]), "id", HERE).to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["007", None, "1e5", "NA", ""], pa.string(), ["007", None, "1e5", "NA", ""]),
        (["a", "b"], pa.large_string(), ["a", "b"]),
        (["a", "b", "a"], pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"]),
        ([18446744073709551615], pa.uint64(), ["18446744073709551615"]),
        ([143349558619761321], pa.int64(), ["143349558619761321"]),
        ([7.0, None, 12345678901.0], pa.float64(), ["7", None, "12345678901"]),
        ([float(2**53 - 1)], pa.float64(), ["9007199254740991"]),
        ([0.5, 2.0], pa.float64(), ["0.5", "2"]),
        ([True, False], pa.bool_(), ["true", "false"]),
    ],
)
def test_values_are_spelled_out(values, kind, expected) -> None:
    assert text(values, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind"), [(2.0**53, pa.float64()), (143349558619761321.0, pa.float64()), (2.0**24, pa.float32())]
)
def test_floats_that_were_large_whole_numbers_are_refused_by_name_and_row(value, kind) -> None:
    message = rf"column 'id' holds whole numbers as floats, too large to be exact \(row 2: {int(value)}\); write it as"
    with pytest.raises(InputError, match=message):
        text([1.0, value], kind)


def test_text_that_is_not_utf8_is_refused_by_row(tmp_path) -> None:
    for name, other in (("text", "sample_id"), ("sample_id", "text")):
        pq.write_table(pa.table({name: NOT_UTF8, other: ["a", "b"]}), tmp_path / "a.parquet")
        with pytest.raises(InputError, match=f"a.parquet: column '{name}' has text that isn't UTF-8 in row 2;"):
            read_table(tmp_path / "a.parquet", ANNOTATIONS)


def test_float_ids_of_an_artifact_are_refused_as_well(tmp_path) -> None:
    columns = {"sample_id": [143349558619761321.0, 143349558619761329.0], "text": ["a", "b"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column 'sample_id' holds whole numbers as floats"):
        read_table(tmp_path / "a.parquet", ANNOTATIONS)


def test_not_a_number_is_no_id_and_hides_no_large_one() -> None:
    assert text([1.0, float("nan"), 4.0], pa.float64()) == ["1", None, "4"]
    for other in (float("nan"), 0.5, float("inf")):
        with pytest.raises(InputError, match="too large to be exact"):
            text([other, 1e17], pa.float64())


@pytest.mark.parametrize("value", [0.5, float("inf")])
def test_floats_that_are_no_whole_numbers_are_no_ids(tmp_path, value) -> None:
    pq.write_table(pa.table({"sample_id": [1.0, value], "text": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=rf"column 'sample_id' holds ids, but has {value} in row 2; write integers"):
        read_table(tmp_path / "a.parquet", ANNOTATIONS)
