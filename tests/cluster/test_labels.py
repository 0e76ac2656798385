"""Labels of clusters: which words, which texts, of which samples, and when they are made again."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import read_table
from pipelines.cluster import labels
from pipelines.cluster.labels import label_clusters, write_labels
from pipelines.errors import InputError

TEXTS = ["red dog", "Red dog!", "a red dog runs", "dog", "dogs bark", "blue cat", "cat"]
CLUSTER = np.array([7, 7, 7, 7, 7, 2, 2])
SIZE = np.array([5, 5, 5, 5, 5, 2, 2])


def test_the_largest_cluster_is_first_with_the_texts_nearest_to_its_centroid() -> None:
    similarity = np.array([0.9, 0.8, 0.7, 0.95, 0.1, 0.2, 0.3], dtype=np.float32)
    assert label_clusters(TEXTS, CLUSTER, SIZE, similarity).to_pylist() == [
        # "Red dog!" says what "red dog" says
        {
            "cluster": 7,
            "cluster_size": 5,
            "words": ["dog", "red", "bark", "dogs", "runs"],
            "texts": ["dog", "red dog", "a red dog runs"],
        },
        {"cluster": 2, "cluster_size": 2, "words": ["cat", "blue"], "texts": ["cat", "blue cat"]},
    ]


def test_texts_are_of_different_media_where_there_are_as_many() -> None:
    similarity = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.9, 0.8], dtype=np.float32)
    media = np.array([0, 0, 0, 1, 2, 0, 0], dtype=np.float64)
    texts = label_clusters(list("abcdefg"), CLUSTER, SIZE, similarity, media).column("texts").to_pylist()
    assert texts == [["a", "d", "e"], ["f", "g"]]


@pytest.mark.parametrize("similarity", [None, np.full(7, np.nan, dtype=np.float32)])
def test_without_a_centroid_texts_are_near_by_their_words(similarity) -> None:
    texts = label_clusters(TEXTS, CLUSTER, SIZE, similarity).column("texts").to_pylist()
    assert texts == [["red dog", "a red dog runs", "dog"], ["blue cat", "cat"]]


def test_texts_of_no_words_are_told_apart_as_they_are_spelled() -> None:
    labels = label_clusters(["?", "!", "!", "-"], np.zeros(4, dtype=int), np.full(4, 4))
    assert labels.to_pylist() == [{"cluster": 0, "cluster_size": 4, "words": [], "texts": ["?", "!", "-"]}]


@pytest.fixture
def annotated(tmp_path, write_artifact):
    """Four samples, the last for testing; rows of the annotations in another order."""
    texts = {"a": "red dog", "b": "dog", "c": "cat", "d": "bird"}
    write_artifact(
        tmp_path / "a.parquet",
        {"sample_id": list("dcba"), "text": [texts[name] for name in "dcba"], "split": ["test", *["train"] * 3]},
    )
    write_artifact(
        tmp_path / "c.parquet",
        {
            "sample_id": list("abcd"),
            "cluster": [0, 0, 1, 0],
            "cluster_size": [2, 2, 1, 2],
            "similarity": [0.5, 0.9, 1, 1],
        },
    )
    return tmp_path / "c.parquet", tmp_path / "a.parquet"


def test_only_texts_that_were_fitted_label_a_cluster(annotated) -> None:
    path = write_labels(*annotated)
    assert pq.read_table(path).to_pylist() == [
        {"cluster": 0, "cluster_size": 2, "words": ["dog", "red"], "texts": ["dog", "red dog"]},
        {"cluster": 1, "cluster_size": 1, "words": ["cat"], "texts": ["cat"]},
    ]
    assert pq.read_table(write_labels(*annotated, fit_split="test"))["texts"].to_pylist() == [["bird"]]


def test_without_splits_where_the_vectors_come_from_all_were_fitted(annotated, tmp_path, write_artifact) -> None:
    """The annotations' own splits don't matter then, though they have some."""
    vectors = write_artifact(tmp_path / "e.parquet", {"sample_id": list("cdab"), "embedding": [[1.0]] * 4})
    texts = pq.read_table(write_labels(*annotated, split_file=vectors))["texts"].to_pylist()
    assert texts == [["bird", "dog", "red dog"], ["cat"]]


def test_labels_are_made_once(annotated, write_artifact) -> None:
    path = write_labels(*annotated)
    os.utime(path, ns=(0, 0))
    assert write_labels(*annotated).stat().st_mtime_ns == 0
    assert write_labels(*annotated, force=True).stat().st_mtime_ns > 0
    write_artifact(annotated[1], {"sample_id": list("abcd"), "text": ["new"] * 4})
    assert pq.read_table(write_labels(*annotated))["texts"].to_pylist() == [["new"], ["new"]]


def test_a_sample_without_a_text_is_named(annotated, write_artifact) -> None:
    write_artifact(annotated[1], {"sample_id": list("abd"), "text": list("abd")})
    with pytest.raises(InputError, match=r"a\.parquet: 1 of 4 samples are missing there, first: c"):
        write_labels(*annotated)


def test_noise_has_one_label(annotated, write_artifact) -> None:
    noise = {"sample_id": list("abcd"), "cluster": [-1, None, 1, 1], "cluster_size": [1] * 4}
    write_artifact(annotated[0], noise)
    labels = pq.read_table(write_labels(*annotated)).to_pylist()
    assert [(label["cluster"], label["cluster_size"], label["texts"]) for label in labels] == [
        (-1, 1, ["red dog", "dog"]),
        (1, 1, ["cat"]),
    ]


def test_texts_are_read_as_a_type_without_an_end_and_not_copied_where_rows_are_in_order(tmp_path, monkeypatch) -> None:
    ids = [f"s{row}" for row in range(7)]
    pq.write_table(pa.table({"sample_id": ids, "text": TEXTS, "split": ["train"] * 7}), tmp_path / "a.parquet")
    columns = {"cluster": pa.array(CLUSTER, pa.int32()), "cluster_size": SIZE}
    read, said = [], []
    monkeypatch.setattr(
        labels, "read_table", lambda *args, **rest: (read.append(read_table(*args, **rest)), read[-1])[1]
    )
    monkeypatch.setattr(labels, "label_clusters", lambda texts, *_: said.append(texts.column))
    for order in (np.arange(7), np.arange(7)[::-1]):
        table = pa.table({"sample_id": ids, **columns}).take(pa.array(order))
        labels.labels_of(table, tmp_path / "a.parquet", tmp_path / "a.parquet")
    assert [each.column_names for each in read] == [["sample_id", "text"]] * 2
    assert [column.to_pylist() for column in said] == [TEXTS, TEXTS[::-1]]
    assert {column.type for column in said} == {pa.large_string()}
    held = [column.chunk(0).buffers()[2].address for column in (read[0].column("text"), said[0])]
    assert held[0] == held[1]


def test_samples_without_a_split_are_of_no_label(tmp_path) -> None:
    ids = [f"s{row}" for row in range(7)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"sample_id": ids, "text": TEXTS, "split": ["train", *[None] * 4, "train", None]}), path)
    table = pa.table({"sample_id": ids, "cluster": pa.array(CLUSTER, pa.int32()), "cluster_size": SIZE})
    assert labels.labels_of(table, path, path).column("texts").to_pylist() == [["red dog"], ["blue cat"]]
