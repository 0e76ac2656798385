"""The map: which samples are on it, and what is known of each."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.artifacts import vector_type
from pipelines.errors import InputError
from pipelines.views.map import read_map

IDS = ["t1", "t2", "t3", "t4"]
MEDIA = ["cat", "dog", "dog", "bird"]
NAN = float("nan")


@pytest.fixture
def folder(tmp_path, write_artifact):
    random = np.random.default_rng(0)

    def vectors(column, ids):
        embedding = pa.array(random.standard_normal((len(ids), 6)).tolist(), vector_type(6))
        write_artifact(tmp_path / f"{column}.parquet", {column: ids, "embedding": embedding})

    vectors("sample_id", IDS[::-1])
    vectors("media_id", ["dog", "cat", "bird"])
    write_artifact(tmp_path / "annotations.parquet", {"sample_id": IDS, "text": list("wxyz"), "media_id": MEDIA})
    clusters = {"sample_id": IDS, "cluster": pa.array([0, 0, -1, 1], pa.int32()), "cluster_size": [7, 7, 1, 3]}
    write_artifact(tmp_path / "clusters.parquet", clusters)
    ranks = {
        "query_id": ["t1", "t2", "t3", "cat", "dog"],
        "direction": ["text_to_media"] * 3 + ["media_to_text"] * 2,
        "rank": [10, 11, 1, 1, 12],
        "cluster_size": [7.0, 7.0, 1.0, 7.0, 4.0],
        "third": ["head", "head", "tail", "head", "middle"],
    }
    write_artifact(tmp_path / "ranks.parquet", ranks)
    return tmp_path


def test_everything_is_joined_by_id(folder) -> None:
    seen = read_map(
        folder / "sample_id.parquet",
        folder / "annotations.parquet",
        clusters=folder / "clusters.parquet",
        scores=folder,
    )
    assert (seen.sample_ids, seen.texts, seen.media_ids) == (IDS[::-1], list("zyxw"), MEDIA[::-1])
    assert (seen.cluster_n.tolist(), seen.size_n.tolist()) == ([1, -1, 0, 0], [3, 1, 7, 7])
    np.testing.assert_array_equal(seen.rank_n, [NAN, 1, 11, 10])
    np.testing.assert_array_equal(seen.recall_n, [NAN, 0.5, 0, 1])
    np.testing.assert_array_equal(seen.cluster_recall_n, [NAN, 0.5, 0.5, 0.5])
    assert seen.place_n2.shape == (4, 2)
    assert (len(seen), seen.of, seen.method) == (4, 4, "first two principal components")


def test_a_medium_is_its_first_sample(folder) -> None:
    seen = read_map(folder / "media_id.parquet", folder / "annotations.parquet")
    assert (seen.sample_ids, seen.texts, seen.media_ids) == (
        ["t2", "t1", "t4"],
        ["x", "w", "z"],
        ["dog", "cat", "bird"],
    )
    assert seen.cluster_n is seen.size_n is seen.recall_n is seen.cluster_recall_n is seen.rank_n is None


def test_of_more_samples_some_are_drawn(folder) -> None:
    files = folder / "sample_id.parquet", folder / "annotations.parquet"
    drawn = [read_map(*files, most=2, seed=seed).sample_ids for seed in range(8)]
    assert {len(ids) for ids in drawn} == {2}
    assert all(set(ids) < set(IDS) for ids in drawn)
    assert len({tuple(ids) for ids in drawn}) > 1
    assert read_map(*files, most=2).of == 4
    assert read_map(*files, most=2, seed=5).sample_ids == drawn[5]


def test_refusals(folder, write_artifact) -> None:
    files = folder / "sample_id.parquet", folder / "annotations.parquet"
    with pytest.raises(InputError, match="0 points: expected at least 1"):
        read_map(*files, most=0)
    short = {"sample_id": IDS[:3], "text": ["t"] * 3, "media_id": MEDIA[:3]}
    write_artifact(folder / "short.parquet", short)
    with pytest.raises(InputError, match=r"short\.parquet: 1 of 4 samples are missing there, first: t4"):
        read_map(folder / "sample_id.parquet", folder / "short.parquet")
