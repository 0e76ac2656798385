"""A table in several files: a folder of parts, or a pattern."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import CLUSTERS, fingerprint_of, open_parquet, read_provenance, read_table, read_vectors
from pipelines.artifacts.opening import parquet_files
from pipelines.artifacts.plan import StagePlan
from pipelines.errors import InputError

ROWS = {"sample_id": list("abcdefg"), "cluster": [0, 1, 2, 3, 4, 5, 6], "cluster_size": [1] * 7}


@pytest.fixture
def parts(tmp_path, write_artifact):
    """Seven clusters in three files, with what Spark and others leave beside them."""
    folder = tmp_path / "parts"
    folder.mkdir()
    table = pa.table(ROWS)
    for number, rows in enumerate((slice(0, 3), slice(3, 4), slice(4, 7))):
        write_artifact(folder / f"part-{number}.parquet", table.slice(rows.start, rows.stop - rows.start))
    (folder / "_SUCCESS").touch()
    (folder / ".part-9.parquet.crc").touch()
    return folder


@pytest.mark.parametrize("name", ["parts", "parts/part-*.parquet", "parts/part-[012].parquet", "*/part-?.parquet"])
def test_a_folder_or_a_pattern_is_one_table(tmp_path, parts, name) -> None:
    assert [path.name for path in parquet_files(tmp_path / name)] == [
        "part-0.parquet",
        "part-1.parquet",
        "part-2.parquet",
    ]
    assert read_table(tmp_path / name, CLUSTERS).to_pydict() == ROWS
    with open_parquet(tmp_path / name) as file:
        assert (file.num_rows, file.num_row_groups) == (7, 3)
        assert [group.num_rows for group in file.row_groups()] == [3, 1, 3]
        assert file.read_row_group(2, columns=["sample_id"]).column(0).to_pylist() == list("efg")
        assert file.read_row_group(0, columns=["sample_id"]).column(0).to_pylist() == list("abc")
        batches = file.iter_batches(batch_size=2, columns=["cluster"])
        assert [batch.column(0).to_pylist() for batch in batches] == [[0, 1], [2], [3], [4, 5], [6]]


def test_a_file_with_a_star_in_its_name_is_a_file(tmp_path, write_artifact) -> None:
    for name in ("a*.parquet", "ab.parquet"):
        write_artifact(tmp_path / name, {**ROWS, "cluster": [len(name)] * 7})
    assert read_table(tmp_path / "a*.parquet", CLUSTERS).column("cluster").unique().to_pylist() == [10]


def test_the_fingerprint_follows_the_content_and_not_the_place(tmp_path, parts) -> None:
    before = fingerprint_of(parts)
    assert fingerprint_of(parts / "part-*.parquet") == before
    assert fingerprint_of(parts.rename(tmp_path / "moved")) == before
    (tmp_path / "moved" / "part-1.parquet").unlink()
    assert fingerprint_of(tmp_path / "moved") != before
    assert read_provenance(tmp_path / "moved") is None


def test_ids_are_unique_through_all_parts(parts, write_artifact) -> None:
    write_artifact(parts / "part-3.parquet", {"sample_id": ["b"], "cluster": [0], "cluster_size": [1]})
    with pytest.raises(InputError, match="parts: 1 values of sample_id occur more than once, first: b"):
        read_table(parts, CLUSTERS)


def test_parts_that_other_tools_wrote_are_told(tmp_path, parts) -> None:
    pq.write_table(pa.table({**ROWS, "sample_id": list("tuvwxyz")}), parts / "part-3.parquet")
    with pytest.warns(UserWarning, match="parts: no mmts footer"):
        StagePlan("test", tmp_path / "o.parquet", {}, {"clusters": parts})


def test_vectors_of_parts_with_a_plain_list_in_one(tmp_path) -> None:
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name, kind in (("a", pa.float32()), ("b", pa.float16())):
        column = pa.array([[1.0, 2.0]], pa.list_(kind))
        pq.write_table(pa.table({"sample_id": [name], "embedding": column}), folder / f"{name}.parquet")
    with pytest.raises(
        InputError, match=r"a.parquet and b.parquet differ in column 'embedding', which is list<.*float>"
    ):
        read_vectors(folder)
    pq.write_table(
        pa.table({"sample_id": ["b"], "embedding": [[3.0, 4.0]]}).cast(
            pa.schema([("sample_id", pa.large_string()), ("embedding", pa.list_(pa.float32()))])
        ),
        folder / "b.parquet",
    )
    vectors = read_vectors(folder)
    assert (vectors.ids.to_pylist(), vectors.matrix_nd.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


def test_what_is_no_table_is_refused(tmp_path, parts) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match="empty: is a directory; a file was expected, or a folder of nothing but Parquet"
    ):
        parquet_files(tmp_path / "empty")
    with pytest.raises(InputError, match=r"no-\*.parquet: no file matches this pattern"):
        parquet_files(parts / "no-*.parquet")
    (parts / "part-1.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"part-1.parquet: truncated or damaged Parquet file"):
        read_table(parts, CLUSTERS)
    pq.write_table(pa.table({"sample_id": ["z"], "size": [1]}), parts / "part-1.parquet")
    with pytest.raises(
        InputError, match=r"part-0.parquet and part-1.parquet are no parts of one table, only one has a col"
    ):
        read_table(parts, CLUSTERS)
    (parts / "config.json").write_text("{}")
    with pytest.raises(InputError, match="parts: is a directory; a file was expected"):
        read_table(parts, CLUSTERS)


@pytest.mark.parametrize("given", ["parts", "parts/*.parquet"])
def test_an_output_among_the_parts_is_refused(tmp_path, parts, given) -> None:
    with pytest.raises(
        InputError, match=r"new.parquet: would be one of the files of the input .*; choose another output"
    ):
        StagePlan("test", parts / "new.parquet", {}, {"clusters": tmp_path / given})
