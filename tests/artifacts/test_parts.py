"""A table in several files: a folder of parts, or a pattern."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import CLUSTERS, fingerprint_of, open_parquet, read_provenance, read_table, read_vectors
from pipelines.artifacts.opening import parquet_files
from pipelines.artifacts.plan import StagePlan
from pipelines.errors import InputError
from pipelines.inspect.describe import describe

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


LISTS = [
    pa.list_(pa.float16()),
    pa.large_list(pa.float32()),
    pa.list_(pa.field("item", pa.float32(), nullable=False)),
    pa.list_(pa.float32(), 2),
]


@pytest.mark.parametrize("kind", LISTS, ids=str)
def test_vectors_of_parts_with_lists_of_another_type(tmp_path, kind) -> None:
    for name, each in (("a", pa.list_(pa.float32())), ("b", kind)):
        ids = pa.array([name], pa.string() if name == "a" else pa.large_string())
        vectors = pa.array([[1.0, 2.0]]).cast(each)
        columns = [ids, vectors] if name == "a" else [vectors, ids]
        names = ["sample_id", "embedding"] if name == "a" else ["embedding", "sample_id"]
        pq.write_table(pa.table(columns, names), tmp_path / f"{name}.parquet")
    vectors = read_vectors(tmp_path)
    assert (vectors.ids.to_pylist(), vectors.matrix_nd.tolist()) == (["a", "b"], [[1, 2], [1, 2]])


def test_columns_have_one_type_in_all_parts(tmp_path) -> None:
    for name, values in (("a", pa.nulls(2)), ("b", pa.array([1, 2])), ("c", pa.array([0.5]))):
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
    assert describe(tmp_path)["columns"] == [
        {"name": "x", "type": "double", "nulls": 2, "min": 0.5, "mean": 3.5 / 3, "max": 2.0}
    ]
    assert [row["x"] for row in describe(tmp_path, rows=4)["first_rows"]] == [None, None, 1, 2]
    with open_parquet(tmp_path) as file:
        assert file.read_row_group(1).schema == file.read().schema == file.schema_arrow
    pq.write_table(pa.table({"x": ["one"]}), tmp_path / "d.parquet")
    with pytest.raises(InputError, match=r"d.parquet: has a column of another type .*Field x .*double vs string\);"):
        describe(tmp_path)
    pq.write_table(pa.table({"x": [2**60 + 1]}), tmp_path / "d.parquet")
    with pytest.raises(InputError, match=r"d.parquet: has a column of another type than the files before it \(Integer"):
        describe(tmp_path)


@pytest.mark.parametrize(
    "change", [lambda path: path.unlink(), lambda path: write(path, "x")], ids=["gone", "replaced"]
)
def test_a_part_that_changes_while_it_is_read_is_refused(tmp_path, change) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.parquet", name)
    with open_parquet(tmp_path) as file:
        assert file.read().num_rows == 2
        change(tmp_path / "b.parquet")
        with pytest.raises(InputError, match=r"b.parquet: was removed or changed while it was read; run this again"):
            file.read()


def write(path, name) -> None:
    pq.write_table(pa.table({"sample_id": [name]}), path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def test_a_folder_may_have_the_characters_of_a_pattern_in_its_name(tmp_path) -> None:
    folder = tmp_path / "run[1]"
    folder.mkdir()
    write(folder / "a.parquet", "a")
    assert parquet_files(folder / "*.parquet") == [folder / "a.parquet"]
    with pytest.raises(InputError, match=r"b.parquet: no such file; did you mean 'a.parquet'"):
        parquet_files(folder / "b.parquet")


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
    pq.write_table(pa.table({"sample_id": ["z"], "a" * 400: [1]}), parts / "part-1.parquet")
    with pytest.raises(
        InputError, match=r"part-1.parquet: is no part of one table .*, only one has a column 'a{1,100}\.\.\.'"
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


def test_an_output_in_a_folder_that_a_pattern_does_not_look_into_is_none_of_its_files(tmp_path, parts) -> None:
    StagePlan("test", parts / "results" / "new.parquet", {}, {"clusters": parts / "*.parquet"})
