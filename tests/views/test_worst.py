"""Worst queries: order, and what annotations and clusters say of them."""

import pyarrow as pa
import pytest

from pipelines.artifacts import ArtifactWriter, Provenance
from pipelines.errors import InputError
from pipelines.views.worst import Found, WorstQuery, read_worst

ANNOTATIONS = {
    "sample_id": ["t1", "t2", "t3", "t4"],
    "text": ["a cat", "a dog", "two dogs", "a bird"],
    "media_id": ["cat", "dog", "dog", "bird"],
}
CLUSTERS = {
    "sample_id": ["t4", "t3", "t2", "t1"],
    "cluster": pa.array([2, 1, 0, 0], pa.int32()),
    "cluster_size": [1, 5, 5, 9],
}
RANKS = {
    "query_id": ["t1", "t2", "t3", "t4", "cat", "dog", "bird"],
    "direction": ["text_to_media"] * 4 + ["media_to_text"] * 3,
    "rank": pa.array([3, 1, 2, 1, 1, 2, 1], pa.int64()),
    "cluster_size": [9.0, 5.0, 5.0, 1.0, 9.0, 5.0, 1.0],
    "third": ["head", "middle", "middle", "tail", "head", "middle", "tail"],
}
MISSES = {
    "query_id": ["t1", "t3", "dog"],
    "direction": ["text_to_media", "text_to_media", "media_to_text"],
    "right": ["cat", "dog", "t3"],
    "similarity": pa.array([0.5, 0.25, 0.5], pa.float32()),
    "retrieved": [["dog", "bird"], ["bird"], ["t4", "t1"]],
    "similarities": pa.array([[0.75, 0.625], [1.0], [0.625, 0.5]], pa.list_(pa.float32())),
}


def write(path, columns, fingerprint="one") -> None:
    table = pa.table(columns)
    with ArtifactWriter(path, table.schema, Provenance("eval", fingerprint, {}, {})) as writer:
        writer.write(table)


@pytest.fixture
def folder(tmp_path, write_artifact):
    write_artifact(tmp_path / "annotations.parquet", ANNOTATIONS)
    write_artifact(tmp_path / "clusters.parquet", CLUSTERS)
    write(tmp_path / "ranks.parquet", RANKS)
    write(tmp_path / "misses.parquet", MISSES)
    return tmp_path


def test_the_widest_gap_comes_first(folder) -> None:
    found = read_worst(folder, folder / "annotations.parquet", clusters=folder / "clusters.parquet")
    assert [query.gap for query in found] == [0.75, 0.25, 0.125]
    assert found == [
        WorstQuery(
            "text_to_media",
            "t3",
            "dog",
            ("two dogs",),
            2,
            Found("dog", "dog", ("a dog", "two dogs"), 0.25),
            (Found("bird", "bird", ("a bird",), 1.0),),
            5.0,
            "middle",
            1,
        ),
        WorstQuery(
            "text_to_media",
            "t1",
            "cat",
            ("a cat",),
            3,
            Found("cat", "cat", ("a cat",), 0.5),
            (Found("dog", "dog", ("a dog", "two dogs"), 0.75), Found("bird", "bird", ("a bird",), 0.625)),
            9.0,
            "head",
            0,
        ),
        WorstQuery(
            "media_to_text",
            "dog",
            "dog",
            ("a dog", "two dogs"),
            2,
            Found("t3", "dog", ("two dogs",), 0.5),
            (Found("t4", "bird", ("a bird",), 0.625), Found("t1", "cat", ("a cat",), 0.5)),
            5.0,
            "middle",
            0,
        ),
    ]


def test_without_clusters_and_ranks(folder) -> None:
    ranks = {**RANKS, "rank": pa.nulls(7, pa.int64()), "third": pa.nulls(7, pa.string())}
    write(folder / "ranks.parquet", ranks)
    first = read_worst(folder, folder / "annotations.parquet")[0]
    assert (first.id, first.rank, first.third, first.cluster) == ("t3", None, None, None)


def test_no_misses(folder) -> None:
    write(folder / "misses.parquet", pa.table(MISSES).slice(0, 0))
    assert read_worst(folder, folder / "annotations.parquet") == []


def test_misses_of_an_older_mmts_are_refused(folder) -> None:
    write(folder / "misses.parquet", {name: column for name, column in MISSES.items() if name != "right"})
    with pytest.raises(InputError, match=r"misses\.parquet: written by an older mmts; score again with `mmts eval`"):
        read_worst(folder, folder / "annotations.parquet")


def test_misses_of_other_scores_are_refused(folder) -> None:
    write(folder / "misses.parquet", MISSES, fingerprint="other")
    with pytest.raises(InputError, match=r"misses\.parquet: is not of the scores in ranks\.parquet; score again"):
        read_worst(folder, folder / "annotations.parquet")
    (folder / "misses.parquet").unlink()
    with pytest.raises(InputError, match=r"has no misses\.parquet; score again with `mmts eval`"):
        read_worst(folder, folder / "annotations.parquet")


def test_annotations_of_other_samples_are_refused(folder, write_artifact) -> None:
    write_artifact(folder / "other.parquet", pa.table(ANNOTATIONS).slice(0, 3))
    with pytest.raises(InputError, match=r"other\.parquet: 1 of 3 samples are missing there, first: t4"):
        read_worst(folder, folder / "other.parquet")
