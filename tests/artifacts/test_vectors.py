"""Embeddings and features as matrices."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import matrix, read_vectors, vector_type, vectors
from pipelines.errors import InputError

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


def fixed(matrix_nd: np.ndarray, dtype: str = "float32") -> pa.Array:
    with np.errstate(over="ignore"):
        flat = pa.array(matrix_nd.astype(dtype).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix_nd.shape[1]).cast(vector_type(matrix_nd.shape[1], dtype))


def write(path, embedding, ids=("a", "b", "c", "d"), name="sample_id", **columns):
    pq.write_table(pa.table({name: list(ids), "embedding": embedding, **columns}), path, row_group_size=3)
    return path


@pytest.mark.parametrize(
    "embedding",
    [
        fixed(MATRIX),
        fixed(MATRIX, "float16"),
        pa.array(MATRIX.tolist()),
        pa.array(MATRIX.tolist(), pa.large_list(pa.float32())),
        pa.array(MATRIX.astype(int).tolist(), pa.list_(pa.int32())),
    ],
    ids=["fixed-size", "float16", "list", "large-list", "integers"],
)
def test_any_list_of_numbers_is_read(tmp_path, embedding) -> None:
    vectors = read_vectors(write(tmp_path / "e.parquet", embedding))
    assert vectors.id_column == "sample_id"
    assert vectors.ids.to_pylist() == ["a", "b", "c", "d"]
    assert vectors.matrix_nd.dtype == np.float32
    assert vectors.matrix_nd.tolist() == MATRIX.tolist()
    assert vectors.split is None


def test_a_file_that_pandas_wrote_is_read(tmp_path) -> None:
    frame = pd.DataFrame({"media_id": ["a", "b"], "embedding": list(MATRIX[:2]), "split": ["train", None]})
    frame.to_parquet(tmp_path / "f.parquet")
    vectors = read_vectors(tmp_path / "f.parquet")
    assert vectors.id_column == "media_id"
    assert vectors.matrix_nd.tolist() == MATRIX[:2].tolist()
    assert vectors.split.to_pylist() == ["train", None]


def test_numeric_ids_are_read_as_text(tmp_path) -> None:
    assert read_vectors(write(tmp_path / "e.parquet", fixed(MATRIX), ids=[1, 2, 3, 4])).ids.to_pylist() == list("1234")


def changed(row: int, value: float) -> pa.Array:
    matrix_nd = MATRIX.copy()
    matrix_nd[row, 1] = value
    return fixed(matrix_nd)


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (
            changed(3, np.nan),
            "1 vectors hold NaN or infinite values, first sample_id: d; encode",
        ),
        (changed(1, np.inf), "1 vectors hold NaN or infinite values, first sample_id: b; encode"),
        (changed(1, -np.inf), "1 vectors hold NaN or infinite values, first sample_id: b; encode"),
        (
            fixed(np.diag([1.0, 0, 1, 0])),
            "2 vectors are all zeros, first sample_id: b, d; encode these again",
        ),
        (
            fixed(np.diag([1e6, 1, 1, 1]), "float16"),
            "1 vectors hold .* first sample_id: a; --dtype float32 holds",
        ),
        (
            pa.array([[1.0], [1.0, 2.0], [1.0], [1.0]]),
            "of 1 and 2 dimensions in one file, first of other size: b",
        ),
        (pa.array([[1.0], [1.0], [1.0], [1.0, 2.0]]), "of 1 and 2 dimensions in one file, first of other size: d"),
        (pa.array([[], [], [], []], pa.list_(pa.float32())), "vectors of 0 dimensions"),
        (pa.array([[1.0], None, [1.0], [1.0]]), "1 vectors are null, first: b"),
        (pa.array([[1.0], [1.0], [1.0], None]), "1 vectors are null, first: d"),
        (
            pa.array([[1.0, None], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]),
            "1 elements of .* are null, first in: a",
        ),
        (pa.array([1.0, 2.0, 3.0, 4.0]), "column 'embedding' is double; lists of floats were expected"),
        (pa.array([["x"], ["x"], ["x"], ["x"]]), "column 'embedding' holds string; numbers were expected"),
    ],
)
def test_unusable_vectors_are_refused(tmp_path, embedding, message) -> None:
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path / "e.parquet", embedding))


def test_large_finite_values_are_no_error(tmp_path) -> None:
    largest = np.full((2, 3), np.finfo(np.float32).max, dtype=np.float32)  # their sum overflows
    assert read_vectors(write(tmp_path / "e.parquet", fixed(largest), ids="ab")).matrix_nd.max() == largest[0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["a", "b", "b", "c"]}, "1 values of sample_id occur more than once, first: b"),
        ({"ids": ["a", "b", "c", None]}, "1 rows have no sample_id"),
        ({"name": "sample"}, "no column 'sample_id'; did you mean 'sample'"),
        ({"name": "image_id"}, "or 'media_id', but 'image_id'; `mmts prepare features` makes media_id of it"),
        ({"ids": [["a"], ["b"], ["c"], ["d"]]}, "column 'sample_id' is list<element: string>, can't be read"),
        ({"split": [["a"], ["b"], ["c"], ["d"]]}, "column 'split' is list<element: string>, can't be read"),
    ],
)
def test_unusable_ids_are_refused(tmp_path, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path / "e.parquet", fixed(MATRIX), **arguments))


def test_a_file_without_rows_is_refused(tmp_path) -> None:
    pq.write_table(pa.table({"sample_id": pa.array([], pa.string()), "embedding": fixed(MATRIX)[:0]}), tmp_path / "e")
    with pytest.raises(InputError, match="has no rows"):
        read_vectors(tmp_path / "e")


@pytest.mark.parametrize(
    ("bit", "message"),
    [(41, "0 ids but 8 vectors"), (1001, "8 ids but 0 vectors"), (3604, "0 ids but 0 vectors")],
    ids=["of ids", "of vectors", "of row groups"],
)
def test_a_part_that_says_it_is_empty_is_damage(tmp_path, write_artifact, bit, message) -> None:
    """Found by fuzzing: Parquet then reads fewer ids than vectors, without a word. Where the bits lie depends on what
    is written before them."""
    path = write_artifact(
        tmp_path / "v.parquet",
        {
            "sample_id": [f"s{row}" for row in range(8)],
            "embedding": pa.array([[float(row), 1.0] for row in range(8)], vector_type(2)),
        },
    )
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"v\.parquet: damaged: {message}"):
        read_vectors(path)


@pytest.mark.parametrize("in_memory", [2**30, 0], ids=["in memory", "on the disk"])
def test_only_some_rows_are_kept(tmp_path, monkeypatch, in_memory) -> None:
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", in_memory)
    monkeypatch.setattr(vectors, "_BLOCK_ROWS", 2)
    path = write(tmp_path / "e.parquet", fixed(MATRIX))
    found = read_vectors(path, only=pa.chunked_array([["d", "b", "elsewhere"]]), scratch=tmp_path)
    assert found.ids.to_pylist() == list("abcd")
    assert found.matrix_nd[:].tolist() == MATRIX[[1, 3]].tolist()
    rows = found.rows_of(pa.chunked_array([["d", "b"]]), "samples")
    assert found.matrix_nd[rows].tolist() == MATRIX[[3, 1]].tolist()
    with pytest.raises(InputError, match="1 of 2 samples are missing there, first: elsewhere; it holds a, b"):
        found.rows_of(pa.chunked_array([["b", "elsewhere"]]), "samples")


def test_rows_that_are_not_kept_are_looked_at(tmp_path) -> None:
    path = write(tmp_path / "e.parquet", changed(2, np.nan))
    with pytest.raises(InputError, match="1 vectors hold NaN or infinite values, first sample_id: c"):
        read_vectors(path, only=pa.chunked_array([["a"]]))
