"""What a medium in a Parquet row is called."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import byte_column, embedded_media_ids

IMAGES = [{"bytes": b"x", "path": "a.jpg"}, {"bytes": b"y", "path": "b.jpg"}]
NO_PATHS = [{"bytes": b"x", "path": None}, {"bytes": b"y", "path": None}]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"image": pa.array(IMAGES, STRUCT), "image_id": [7, 8]}, ["7", "8"]),
        ({"image": pa.array(IMAGES, STRUCT), "caption": ["p", "q"]}, ["a.jpg", "b.jpg"]),
        ({"image": pa.array(NO_PATHS, STRUCT), "caption": ["p", "q"]}, ["train-0#0", "train-0#1"]),
        ({"jpg": pa.array([b"x", b"y"]), "key": ["k0", "k1"]}, ["k0", "k1"]),
        ({"jpg": pa.array([b"x", b"y"]), "key": ["k0", None]}, ["train-0#0", "train-0#1"]),
    ],
)
def test_ids(tmp_path, columns, expected) -> None:
    path = tmp_path / "train-0.parquet"
    pq.write_table(pa.table(columns), path)
    with pq.ParquetFile(path) as file:
        assert byte_column(file.schema_arrow) == next(iter(columns))
        assert embedded_media_ids(file, path).to_pylist() == expected


def test_words_are_no_bytes() -> None:
    assert byte_column(pa.schema([("image", pa.string()), ("caption", pa.string())])) is None
