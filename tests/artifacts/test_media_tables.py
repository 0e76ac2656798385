"""What the media in Parquet files are called."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts.media_tables import byte_column, media_ids_of_rows

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(path, paths: list[str | None]):
    rows = [{"bytes": b"x", "path": each} for each in paths]
    pq.write_table(pa.table({"image": pa.array(rows, STRUCT), "caption": paths}), path, row_group_size=1)
    return path


def names(*files) -> list[list[str]]:
    return [ids.to_pylist() for ids in media_ids_of_rows(files)]


def test_rows_are_called_by_their_paths_where_all_have_one_of_their_own(tmp_path) -> None:
    first, second = write(tmp_path / "0.parquet", ["a.jpg", "b.jpg"]), write(tmp_path / "1.parquet", ["c.jpg"])
    assert names(first, second) == [["a.jpg", "b.jpg"], ["c.jpg"]]


@pytest.mark.parametrize("other", [["a.jpg"], [None]])
def test_rows_are_numbered_where_paths_are_missing_or_repeat_in_any_file(tmp_path, other) -> None:
    first, second = write(tmp_path / "0.parquet", ["a.jpg", "b.jpg"]), write(tmp_path / "1.parquet", other)
    assert names(first, second) == [["0.parquet#0", "0.parquet#1"], ["1.parquet#0"]]


def test_rows_of_plain_bytes_are_numbered(tmp_path) -> None:
    pq.write_table(pa.table({"jpg": [b"x", b"y"], "path": ["a", "b"]}), tmp_path / "a.parquet")
    assert names(tmp_path / "a.parquet") == [["a.parquet#0", "a.parquet#1"]]


def test_the_column_of_bytes_is_one_of_bytes() -> None:
    schema = pa.schema([("image", pa.string()), ("bytes", pa.int64()), ("jpg", pa.large_binary())])
    assert byte_column(schema) == "jpg"
    assert byte_column(pa.schema([("image", STRUCT)])) == "image"
    assert byte_column(pa.schema([("image", pa.string())])) is None
