"""Splits by whatever name."""

import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import ANNOTATIONS, canonical_split, plain_splits, read_table, read_vectors, rows_of_split

HERE = Path("a.parquet")


def splits(*names: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([list(names)], pa.string())


@pytest.mark.parametrize(
    ("split", "spellings"),
    [
        ("train", ["train", "Train", "TRAIN", " train ", "training", "Training"]),
        ("val", ["val", "Val", "valid", "validation", "Validation", "DEV", "dev"]),
        ("test", ["test", "Test", "TEST", "testing"]),
    ],
)
def test_the_usual_spellings(split, spellings) -> None:
    assert {canonical_split(name) for name in spellings} == {split}


def test_other_names_stay_as_they_are() -> None:
    assert [canonical_split(name) for name in ("extra", "Fold1", "restval", "minival")] == [
        "extra",
        "Fold1",
        "restval",
        "minival",
    ]


def test_a_column_is_read_by_plain_names_and_says_so() -> None:
    with pytest.warns(UserWarning, match="a.parquet: splits read by their plain names: 'Train' as train, 'dev' as val"):
        read = plain_splits(splits("Train", "dev", None, "train", "extra"), HERE)
    assert read.to_pylist() == ["train", "val", None, "train", "extra"]


def test_two_kinds_of_one_split_are_kept_apart() -> None:
    with pytest.warns(UserWarning, match="'Val' as val$"):
        assert plain_splits(splits("dev", "Val", "test"), HERE).to_pylist() == ["dev", "val", "test"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plain_splits(splits("dev", "validation"), HERE).to_pylist() == ["dev", "validation"]


def test_annotations_and_vectors_of_other_tools_are_read_by_plain_names(tmp_path) -> None:
    columns = {"sample_id": ["a", "b"], "text": ["x", "y"], "split": ["Train", "Test"], "embedding": [[1.0], [2.0]]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="'Train' as train, 'Test' as test"):
        table = read_table(tmp_path / "a.parquet", ANNOTATIONS)
    assert rows_of_split(table, "Test", HERE).column("sample_id").to_pylist() == ["b"]
    with pytest.warns(UserWarning, match="'Train' as train, 'Test' as test"):
        assert read_vectors(tmp_path / "a.parquet").split.to_pylist() == ["train", "test"]
