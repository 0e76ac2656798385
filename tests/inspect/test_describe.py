"""What ``mmts inspect`` tells."""

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import InputError
from pipelines.inspect.describe import describe


def column(described, name) -> dict:
    return next(column for column in described["columns"] if column["name"] == name)


def test_an_artifact_is_described(tmp_path, write_artifact) -> None:
    table = {
        "sample_id": ["a", "b", "c"],
        "cluster": [0, 0, 1],
        "cluster_size": [2, 2, 1],
        "similarity": [0.5, 1, None],
    }
    path = write_artifact(tmp_path / "c.parquet", table)
    described = describe(path, rows=2)
    assert (described["kind"], described["rows"], described["row_groups"]) == ("clusters", 3, 1)
    assert described["bytes"] == path.stat().st_size
    assert described["changed"] is False
    assert (described["provenance"]["stage"], described["provenance"]["rows"]) == ("test", 3)
    assert column(described, "sample_id") == {"name": "sample_id", "type": "string", "nulls": 0, "distinct": 3}
    assert column(described, "similarity") == {
        "name": "similarity",
        "type": "double",
        "nulls": 1,
        "min": 0.5,
        "mean": 0.75,
        "max": 1.0,
    }
    assert described["first_rows"] == pq.read_table(path).slice(0, 2).to_pylist()


def test_vectors_are_described_by_length_and_norm(tmp_path, write_artifact) -> None:
    matrix_nd = np.array([[3, 4, 0, 0, 0], [0, 0, 0, 0, 2]], dtype=np.float16)
    path = write_artifact(tmp_path / "e.parquet", {"sample_id": ["a", "b"], "embedding": list(matrix_nd)})
    described = describe(path)
    assert described["kind"] == "embeddings"
    figures = column(described, "embedding")
    assert (figures["length_min"], figures["length_max"]) == (5, 5)
    assert (figures["norm_min"], figures["norm_mean"], figures["norm_max"]) == (2, 3.5, 5)
    assert described["first_rows"][0]["embedding"] == [3, 4, 0, 0, "..."]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (["sample_id", "text"], "annotations"),
        (["sample_id", "text", "embedding"], "annotations"),
        (["sample_id", "embedding"], "embeddings"),
        (["media_id", "embedding"], "features"),
        (["sample_id", "shift", "cluster_size"], "shifts"),
        (["sample_id"], None),
        (["x"], None),
    ],
)
def test_the_kind_follows_from_the_columns(tmp_path, columns, kind) -> None:
    pq.write_table(pa.table({name: [1] for name in columns}), tmp_path / "a.parquet")
    described = describe(tmp_path / "a.parquet")
    assert described["kind"] == kind
    assert (described["provenance"], described["changed"]) == (None, None)


def test_a_change_under_the_footer_is_told(tmp_path, write_artifact) -> None:
    path = write_artifact(tmp_path / "a.parquet", {"x": [1]})
    footer = pq.read_metadata(path).metadata[b"mmts"]
    pq.write_table(pa.table({"x": [2]}).replace_schema_metadata({"mmts": footer}), path)
    assert describe(path)["changed"] is True


EVERY_TYPE = {
    "integer": pa.array([1, None]),
    "bool": pa.array([True, None]),
    "nan": pa.array([float("nan"), float("inf")]),
    "half": pa.array(np.array([1, 2], dtype=np.float16)),
    "binary": pa.array([b"\xff", None]),
    "date": pa.array([datetime.date(2020, 1, 1), None]),
    "time": pa.array([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), None]),
    "duration": pa.array([datetime.timedelta(1), None]),
    "decimal": pa.array([decimal.Decimal("1.5"), None]),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "struct": pa.array([{"a": 1, "b": [1.0]}, None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "strings": pa.array([["a", "b"], None]),
    "ragged": pa.array([[1.0], [1.0, None]]),
    "nested": pa.array([[[float("nan")]], []]),
    "null": pa.nulls(2),
    "a.b": pa.array([1, 2]),
    "[bold]": pa.array(["[/red]", "x"]),
}


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_any_type_can_be_described_as_json(tmp_path, name) -> None:
    pq.write_table(pa.table({name: EVERY_TYPE[name]}), tmp_path / "a.parquet")
    described = describe(tmp_path / "a.parquet")
    assert described["columns"][0]["name"] == name
    assert described["columns"][0]["nulls"] == EVERY_TYPE[name].null_count
    assert len(described["first_rows"]) == 2
    assert json.loads(json.dumps(described, allow_nan=False)) == described


def test_a_dictionary_counts_its_values(tmp_path) -> None:
    pq.write_table(pa.table({"x": pa.array(["a", "b", "a"]).dictionary_encode()}), tmp_path / "a.parquet")
    assert describe(tmp_path / "a.parquet")["columns"][0]["distinct"] == 2


def test_a_file_without_rows_or_columns_can_be_described(tmp_path) -> None:
    pd.DataFrame({"x": np.array([], dtype=np.int64)}).to_parquet(tmp_path / "a.parquet")
    described = describe(tmp_path / "a.parquet")
    assert (described["rows"], described["first_rows"]) == (0, [])
    assert column(described, "x") == {"name": "x", "type": "int64", "nulls": 0}
    pq.write_table(pa.table({}), tmp_path / "b.parquet")
    assert describe(tmp_path / "b.parquet")["columns"] == []


def test_no_first_rows_may_be_asked_for(tmp_path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert describe(tmp_path / "a.parquet", rows=0)["first_rows"] == []


def test_what_is_no_parquet_is_refused(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n")
    with pytest.raises(InputError, match=r"a\.csv: is not a Parquet file"):
        describe(tmp_path / "a.csv")
