"""Reading and writing artifacts."""

import errno
import gc
import sys
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.artifacts import CLUSTERS, RANKS, ArtifactWriter, Provenance, open_parquet, read_provenance, read_table
from pipelines.artifacts.parquet import ROW_GROUP_ROWS
from pipelines.errors import InputError

PROVENANCE = Provenance("test", "f" * 32, {"k": 2}, {"clusters": {"name": "c.parquet", "fingerprint": "0"}}, seed=3)
CLUSTERS_TABLE = {"sample_id": ["a", "b"], "cluster": [0, 1], "cluster_size": [5, 7], "similarity": [0.5, None]}


def write(path, table: pa.Table, **summary):
    with ArtifactWriter(path, table.schema, PROVENANCE) as writer:
        writer.write(table)
        writer.summary = summary
    return path


def test_a_table_and_its_provenance_come_back(tmp_path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"x": [1, 2, 3]}), rows=3)
    provenance = read_provenance(path)
    assert (provenance.stage, provenance.parameters, provenance.inputs) == ("test", {"k": 2}, PROVENANCE.inputs)
    assert (provenance.seed, provenance.rows, provenance.summary) == (3, 3, {"rows": 3})
    assert pq.read_table(path).to_pydict() == {"x": [1, 2, 3]}


def test_rows_are_grouped_whatever_the_size_of_the_writes(tmp_path) -> None:
    table = pa.table({"x": range(2 * ROW_GROUP_ROWS + 10)})
    with ArtifactWriter(tmp_path / "a.parquet", table.schema, PROVENANCE) as writer:
        for start in range(0, len(table), 7_000):
            writer.write(table.slice(start, 7_000))
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert sum(sizes) == len(table)
    assert len(sizes) <= 5
    assert max(sizes) == ROW_GROUP_ROWS
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert pq.read_table(tmp_path / "a.parquet").column("x").to_pylist() == list(range(len(table)))


def test_row_groups_that_were_read_are_not_kept_in_memory(tmp_path) -> None:
    groups, size = 20, 2**20
    numbers = np.random.default_rng(0).integers(2**62, size=groups * size // 8)  # which don't compress
    pq.write_table(pa.table({"x": numbers}), tmp_path / "a.parquet", row_group_size=size // 8, use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    with open_parquet(tmp_path / "a.parquet") as file:
        for _ in file.iter_batches(batch_size=1_000):
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 5 * size


def test_the_same_rows_make_the_same_bytes(tmp_path) -> None:
    table = pa.table(CLUSTERS_TABLE)
    first, second = write(tmp_path / "a.parquet", table), write(tmp_path / "b.parquet", table)
    assert first.read_bytes() == second.read_bytes()


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    before = path.read_bytes()
    with pytest.raises(pa.ArrowInvalid), ArtifactWriter(path, pa.schema([("x", pa.int64())]), PROVENANCE) as writer:
        writer.write(pa.table({"x": ["no number"]}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("after", [0, 10, 60])
def test_a_disk_that_fills_up_is_said_in_one_line(tmp_path, monkeypatch, after) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    before = path.read_bytes()
    written = 0

    def full(sink, data) -> int:
        nonlocal written
        written += len(data)
        if written > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return sink._handle.write(data)

    monkeypatch.setattr("pipelines.artifacts.parquet._HashingSink.write", full)
    with pytest.raises(InputError, match=r"a\.parquet: can't be written \(No space left on device\)"):
        write(path, pa.table({"x": [2]}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_interrupted_at_its_end_goes_without_a_word(tmp_path, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    monkeypatch.setattr(pq.ParquetWriter, "add_key_value_metadata", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    gc.collect()
    assert said == []
    assert list(tmp_path.iterdir()) == []


def test_reading_casts_to_the_kinds_types(tmp_path) -> None:
    table = pa.table(
        {
            "sample_id": pa.array(["a", "b"]).dictionary_encode(),
            "cluster": pa.array([0, 1], pa.int64()),
            "cluster_size": pa.array([5.0, 7.0]),
            "extra": [1, 2],
        }
    )
    pq.write_table(table, tmp_path / "c.parquet")
    read = read_table(tmp_path / "c.parquet", CLUSTERS)
    assert read.schema == pa.schema([("sample_id", pa.string()), ("cluster", pa.int32()), ("cluster_size", pa.int64())])
    assert read.to_pydict() == {"sample_id": ["a", "b"], "cluster": [0, 1], "cluster_size": [5, 7]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cluster_size": None, "cluster_sizes": [1, 1]}, "no column 'cluster_size' as clusters have; did you mean"),
        ({"cluster": ["x", "y"]}, "column 'cluster' is string, can't be read as int32"),
        ({"cluster_size": [1.5, 2.0]}, "column 'cluster_size' is double, can't be read as int64"),
        ({"sample_id": ["a", "a"]}, "1 values of sample_id occur more than once, first: a"),
        ({"sample_id": ["a", None]}, "1 rows have no sample_id"),
        ({"sample_id": [["a"], ["b"]]}, "column 'sample_id' is list<element: string>, can't be read as string"),
    ],
)
def test_columns_are_checked(tmp_path, change, message) -> None:
    columns = {name: values for name, values in {**CLUSTERS_TABLE, **change}.items() if values is not None}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "c.parquet", CLUSTERS)


def test_a_table_without_rows_is_refused(tmp_path) -> None:
    pq.write_table(pa.table(CLUSTERS_TABLE).slice(0, 0), tmp_path / "c.parquet")
    with pytest.raises(InputError, match="has no rows"):
        read_table(tmp_path / "c.parquet", CLUSTERS)


def test_a_key_may_repeat_where_the_kind_allows_it(tmp_path) -> None:
    columns = {"query_id": ["a", "a"], "direction": ["x", "y"], "rank": [1, 2], "cluster_size": [1, 1], "third": "ht"}
    pq.write_table(pa.table({**columns, "third": ["head", "tail"]}), tmp_path / "r.parquet")
    assert read_table(tmp_path / "r.parquet", RANKS).num_rows == 2


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path, share) -> None:
    path = write(tmp_path / "a.parquet", pa.table(CLUSTERS_TABLE))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"truncated or damaged|empty") as caught:
        read_table(path, CLUSTERS)
    assert "\n" not in str(caught.value)


def test_a_damaged_page_is_refused(tmp_path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({**CLUSTERS_TABLE, "sample_id": ["a" * 400, "b" * 400]}))
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    with pytest.raises(InputError, match="truncated or damaged"):
        read_table(path, CLUSTERS)


def test_lists_of_nulls_are_written(tmp_path) -> None:
    """Arrow's cast of such a list to its own type is wrong, which fuzzing found."""
    table = pa.table({"x": [[None, None]]})
    assert pq.read_table(write(tmp_path / "a.parquet", table)).to_pydict() == {"x": [[None, None]]}


def test_vectors_have_neither_dictionary_nor_statistics_and_other_columns_do(tmp_path) -> None:
    """A dictionary of float16 makes a file no smaller, and slower to read."""
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float16)), 2)
    path = write(
        tmp_path / "a.parquet", pa.table({"sample_id": ["a", "b", "c"], "embedding": vectors, "split": ["train"] * 3})
    )
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = {group.column(place).path_in_schema: group.column(place) for place in range(3)}
    assert {name: column.has_dictionary_page for name, column in columns.items()} == {
        "sample_id": True,
        "embedding.list.element": False,
        "split": True,
    }
    assert columns["embedding.list.element"].statistics is None
    assert columns["sample_id"].statistics.max == "c"


def test_extensions_of_arrows_types_are_read_as_what_they_are_made_of(tmp_path) -> None:
    names = [uuid.UUID(int=1), None, uuid.UUID(int=3)]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float32)), 2)
    table = {
        "sample_id": pa.array([name and name.bytes for name in names], pa.uuid()),
        "embedding": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), (2,)), vectors),
        "text": pa.array(['"a"', None, '"b"'], pa.json_()),
    }
    folder = tmp_path / "parts"
    folder.mkdir()
    pq.write_table(pa.table(table), folder / "a.parquet")
    pq.write_table(pa.table({name: column.slice(1) for name, column in table.items()}), folder / "b.parquet")
    expected = {
        "sample_id": [name and str(name) for name in [*names, *names[1:]]],
        "embedding": [[0, 1], [2, 3], [4, 5], [2, 3], [4, 5]],
        "text": ['"a"', None, '"b"', None, '"b"'],
    }
    with open_parquet(folder) as rows:
        assert rows.schema_arrow.types == [pa.string(), vectors.type, pa.string()]
        assert rows.read().to_pydict() == expected
        assert pa.Table.from_batches(rows.iter_batches()).to_pydict() == expected
        assert rows.read_row_group(1, ["sample_id"]).to_pydict() == {"sample_id": expected["sample_id"][3:]}
