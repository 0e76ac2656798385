"""JSON lines and arrays."""

import json
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.annotations.json_rows import read_json_rows

ROWS = [{"image": "a.jpg", "caption": "a dog", "n": 1}, {"image": "b.jpg", "caption": None, "tags": ["x"]}]
TABLE = {"image": ["a.jpg", "b.jpg"], "caption": ["a dog", None], "n": [1, None], "tags": [None, ["x"]]}


def read(tmp_path, content: str, as_text=("caption",)) -> dict[str, list]:
    (tmp_path / "in.json").write_text(content, encoding="utf-8")
    table = read_json_rows(tmp_path / "in.json", None, as_text)
    pq.write_table(table, tmp_path / "out.parquet")  # what is read can be written
    return table.to_pydict()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\ufeff" + json.dumps(ROWS),
        "\n".join(map(json.dumps, ROWS)),
        "\r\n".join(["", *map(json.dumps, ROWS), "", ""]),
    ],
)
def test_lines_and_arrays_are_the_same_rows(tmp_path, content) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, content) == TABLE


@pytest.mark.parametrize(
    ("value", "text"),
    [('"007"', "007"), ("1e5", "1e5"), ("1.0", "1.0"), ("12", "12"), ("true", "true"), ("null", None), ("NaN", None)],
)
def test_numbers_as_text_are_spelled_as_in_the_file(tmp_path, value, text) -> None:
    assert read(tmp_path, f'{{"caption": {value}}}')["caption"] == [text]


def test_whole_numbers_beyond_64_bits_stay_apart(tmp_path) -> None:
    numbers = ["18446744073709551615", "18446744073709551614"]
    with pytest.warns(UserWarning, match="column 'id' has whole numbers beyond 64 bits; they are kept as text"):
        rows = read(tmp_path, "".join(f'{{"id": {number}, "caption": "a"}}\n' for number in numbers), ("id",))
    assert rows["id"] == numbers


def test_lists_of_texts(tmp_path) -> None:
    content = '{"caption": ["a", 1e5]}\n{"caption": "b"}\n{"caption": null}\n'
    assert read(tmp_path, content)["caption"] == [["a", "1e5"], ["b"], None]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["1", '"a"'], ["1", "a"]),
        (['{"a": 1}', "[1]"], ['{"a": 1}', "[1]"]),
        (["{}", "null"], ["{}", None]),
        (["18446744073709551616", "1"], ["18446744073709551616", "1"]),
        (['"\\ud800"', '"b"'], ['"\\ud800"', "b"]),
        (["[" * 40 + "]" * 40, "[]"], ["[" * 40 + "]" * 40, "[]"]),
    ],
)
def test_columns_that_nobody_named_are_kept_whatever_they_hold(tmp_path, values, kept) -> None:
    with pytest.warns(UserWarning, match="column 'z' can't be stored as one type; kept as JSON"):
        rows = read(tmp_path, "".join(f'{{"caption": "a", "z": {value}}}\n' for value in values))
    assert rows["z"] == kept


def test_numbers_keep_their_types_where_nobody_named_them(tmp_path) -> None:
    table = '{"caption": "a", "x": 0.5, "n": 3, "b": true}\n{"caption": "b", "x": 2, "n": 4, "b": false}\n'
    assert read(tmp_path, table) == {"caption": ["a", "b"], "x": [0.5, 2.0], "n": [3, 4], "b": [True, False]}
    types = pq.read_schema(tmp_path / "out.parquet").types
    assert types == [pa.string(), pa.float64(), pa.int64(), pa.bool_()]
