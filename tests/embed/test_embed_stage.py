"""``embed``: distinct texts once, rows in order, memory that does not grow."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import read_vectors, vector_type
from pipelines.embed import embed
from pipelines.errors import InputError
from pipelines.progress import Silent

TEXTS = ["a rather long text", "short", "mid text", "short", "a rather long text", "short"]


@pytest.fixture
def annotations(tmp_path, write_artifact):
    def write(texts=TEXTS, **columns):
        ids = [f"s{row}" for row in range(len(texts))]
        return write_artifact(
            tmp_path / "a.parquet", {"sample_id": ids, "text": pa.array(texts, pa.string()), **columns}
        )

    return write


def test_each_distinct_text_is_encoded_once_shortest_first(annotations, tmp_path, fake_encoder) -> None:
    result = embed(annotations(), tmp_path / "e.parquet")
    assert fake_encoder.texts == ["short", "mid text", "a rather long text"]
    assert (result.summary["rows"], result.summary["distinct_texts"]) == (6, 3)


@pytest.mark.parametrize("window", [1, 2, 4, 100])
def test_rows_keep_their_order_whatever_the_window(annotations, tmp_path, fake_encoder, monkeypatch, window) -> None:
    monkeypatch.setattr("pipelines.embed.stage.WINDOW_ROWS", window)
    embed(annotations(), tmp_path / "e.parquet", batch_size=1)
    vectors = read_vectors(tmp_path / "e.parquet")
    assert vectors.ids.to_pylist() == [f"s{row}" for row in range(6)]
    assert np.array_equal(vectors.matrix_nd, np.stack([fake_encoder.vector(text) for text in TEXTS]))
    assert len(fake_encoder.texts) == 3


def test_more_texts_than_one_report(annotations, tmp_path, fake_encoder) -> None:
    texts = [f"text {row}" for row in range(50)]
    embed(annotations(texts), tmp_path / "e.parquet", batch_size=2)
    assert sorted(fake_encoder.texts) == sorted(texts)
    expected_nd = np.stack([fake_encoder.vector(text) for text in texts])
    assert np.array_equal(read_vectors(tmp_path / "e.parquet").matrix_nd, expected_nd)


def test_progress_adds_up_to_the_distinct_texts(annotations, tmp_path, fake_encoder) -> None:
    class Counting(Silent):
        total = advanced = 0

        def task(self, label, total, unit):
            Counting.total = total
            return self

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def advance(self, count=1, note=""):
            Counting.advanced += count

    embed(annotations(), tmp_path / "e.parquet", progress=Counting())
    assert Counting.total == Counting.advanced == 3


def test_float16_is_stored_as_such(annotations, tmp_path, fake_encoder) -> None:
    embed(annotations(), tmp_path / "e.parquet", dtype="float16")
    assert pq.read_schema(tmp_path / "e.parquet").field("embedding").type == vector_type(8, "float16")
    expected_nd = np.stack([fake_encoder.vector(text) for text in TEXTS]).astype(np.float16)
    assert np.array_equal(read_vectors(tmp_path / "e.parquet").matrix_nd, expected_nd.astype(np.float32))


def test_float32_is_a_list_of_fixed_size(annotations, tmp_path, fake_encoder) -> None:
    embed(annotations(split=["train"] * 5 + ["test"]), tmp_path / "e.parquet")
    schema = pq.read_schema(tmp_path / "e.parquet")
    assert schema.field("embedding").type == vector_type(8)
    assert schema.names == ["sample_id", "embedding", "split"]
    assert pq.read_table(tmp_path / "e.parquet").column("split").to_pylist() == ["train"] * 5 + ["test"]


def test_truncated_texts_are_counted_once_each(annotations, tmp_path, fake_encoder) -> None:
    long = "one two three four five six seven"
    summary = embed(annotations([long, long, "one two three four five six"]), tmp_path / "e.parquet").summary
    assert (summary["truncated_texts"], summary["max_tokens"]) == (1, 6)


def test_empty_and_null_texts_are_named_before_the_model_is_loaded(annotations, tmp_path, fake_encoder) -> None:
    with pytest.raises(
        InputError, match=r"3 texts are empty or null, first: row 2 \(s1\), row 3 \(s2\), row 5 \(s4\);"
    ):
        embed(annotations(["a", "", None, "b", " \t"]), tmp_path / "e.parquet")
    assert fake_encoder.texts == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_the_batch_size_is_no_reason_to_run_again(annotations, tmp_path, fake_encoder) -> None:
    source = annotations()
    embed(source, tmp_path / "e.parquet", batch_size=2)
    assert embed(source, tmp_path / "e.parquet", batch_size=4).up_to_date
    assert not embed(source, tmp_path / "e.parquet", dtype="float16").up_to_date
    assert len(fake_encoder.texts) == 6


def test_an_interrupted_run_leaves_nothing(annotations, tmp_path, fake_encoder, monkeypatch) -> None:
    def interrupted(self, texts):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_encoder, "encode", interrupted)
    source = annotations()
    with pytest.raises(KeyboardInterrupt):
        embed(source, tmp_path / "e.parquet")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "float64"}, "expected float32 or float16"), ({"batch_size": 0}, "expected at least 1")],
)
def test_options_out_of_range_are_refused(annotations, tmp_path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        embed(annotations(), tmp_path / "e.parquet", **options)
