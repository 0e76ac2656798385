"""The one source that frequencies are declared by."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import mean_frequency, read_frequency
from pipelines.errors import InputError

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / "annotations.parquet"
    table = {
        "sample_id": IDS,
        "text": IDS,
        "split": ["train", "train", "train", "test", "test"],
        "kind": ["x", "x", "y", "x", "z"],
        "number": pa.array([3, 3, None, 3, 3]),
    }
    pq.write_table(pa.table(table), path)
    return path


def sizes_file(path, sizes, ids=IDS, **more):
    pq.write_table(pa.table({"sample_id": ids, "cluster_size": sizes, **more}), path)
    return path


def test_a_column_counts_training_samples_of_each_class(annotations) -> None:
    frequency = read_frequency("kind", annotations)
    assert frequency.size_n.tolist() == [2, 2, 1, 2, 0]
    assert frequency.said == "sizes of the classes in column kind"
    assert frequency.of(pa.chunked_array([["e", "a"]])).tolist() == [0, 2]


def test_without_training_rows_all_are_counted(annotations) -> None:
    table = pq.read_table(annotations)
    pq.write_table(table.drop_columns("split"), annotations)
    assert read_frequency("kind", annotations).size_n.tolist() == [3, 3, 1, 3, 1]


def test_clusterings_are_averaged_and_noise_is_rare(annotations, tmp_path) -> None:
    first = sizes_file(tmp_path / "1.parquet", [4, 4, 4, 4, 9], cluster=[0, 0, 0, 0, -1])
    second = sizes_file(tmp_path / "2.parquet", [1, 2, 3, 4, 5], ids=IDS[::-1])
    assert read_frequency(str(first), annotations).size_n.tolist() == [4, 4, 4, 4, 1]
    mean = mean_frequency([first, second])
    np.testing.assert_array_equal(mean.size_n, [4.5, 4, 3.5, 3, 1])
    assert mean.said == "mean sizes of 2 clusterings"


def test_without_a_training_split_it_is_said_that_all_are_counted(annotations) -> None:
    table = pq.read_table(annotations)
    split = pa.array(["a", "a", "a", "b", "b"])
    pq.write_table(table.set_column(table.column_names.index("split"), "split", split), annotations)
    with pytest.warns(UserWarning, match="no rows of split 'train', so classes are counted over all rows"):
        assert read_frequency("kind", annotations).size_n.tolist() == [3, 3, 1, 3, 1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("kin", r"--frequency kin: neither a file nor a column of .*did you mean 'kind'"),
        ("number", r"1 rows have no number, first: c"),
    ],
)
def test_what_is_no_source_is_refused(annotations, source, message) -> None:
    with pytest.raises(InputError, match=message):
        read_frequency(source, annotations)


def test_a_sample_that_is_missing_is_named(tmp_path) -> None:
    frequency = mean_frequency([sizes_file(tmp_path / "1.parquet", [1, 2, 3, 4, 5])])
    with pytest.raises(InputError, match=r"1 of 2 samples are missing there, first: q"):
        frequency.of(pa.chunked_array([["a", "q"]]))
