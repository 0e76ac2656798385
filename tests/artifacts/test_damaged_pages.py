"""A flipped bit in the rows of an artifact never gives other rows."""

import random

import pyarrow as pa
import pytest

from pipelines.artifacts import KINDS, read_table, vector_type
from pipelines.errors import InputError

ROWS = 200


def values(name: str, kind: pa.DataType) -> list:
    """Distinct values of a column's type."""
    numbers = random.Random(name)
    made = {
        pa.string(): lambda row: f"{name}-{row}",
        pa.large_string(): lambda row: f"{name}-{row}",
        pa.bool_(): lambda _: numbers.random() < 0.5,
        pa.list_(pa.int32()): lambda row: [row, row + 1],
        pa.list_(pa.string()): lambda row: [f"{name}-{row}"],
        pa.list_(pa.float32()): lambda row: [row / 4, row + 0.5],
    }
    make = made.get(kind, lambda row: row if pa.types.is_integer(kind) else numbers.random())
    return [[numbers.random() for _ in range(4)] if "embedding" in name else make(row) for row in range(ROWS)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_flipped_bit_is_refused_in_one_line(tmp_path, write_artifact, kind) -> None:
    columns = kind.columns | kind.optional
    if kind.name in ("embeddings", "features"):
        columns |= {"embedding": vector_type(4, "float32")}
    schema = pa.schema(list(columns.items()))
    table = pa.table({name: values(name, type_) for name, type_ in columns.items()}, schema=schema)
    path = write_artifact(tmp_path / "artifact.parquet", table)
    assert read_table(path, kind, list(columns)) == table
    whole = path.read_bytes()
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    said, places = [], range(4, pages, max(1, pages // 150))
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert read_table(path, kind, list(columns)) == table  # a bit of a page's header that nothing reads
        except InputError as error:
            said.append(str(error))
    assert len(said) > 0.9 * len(places)
    assert [each for each in said if not each.startswith(f"{path}: truncated or damaged Parquet file (")] == []
    assert [each for each in said if "\n" in each] == []
