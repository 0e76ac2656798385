"""Clusters as files: a sample in no cluster is rare, whatever size another tool gave it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import has_noise, noise_apart, read_cluster_sizes, read_clusters
from pipelines.shifts import shifts

IDS = pa.chunked_array([["e", "d", "c", "b", "a"]])


@pytest.fixture
def labelled(tmp_path):
    """Write clusters as a script of one's own would: noise as one large cluster."""

    def write(labels):
        sizes = [3, 3, 96, 96, 96]
        pq.write_table(
            pa.table({"sample_id": list("abcde"), "cluster": labels, "cluster_size": sizes}), tmp_path / "c.parquet"
        )
        return tmp_path / "c.parquet"

    return write


@pytest.mark.parametrize("noise", [-1, -2, None])
def test_noise_has_size_1(labelled, tmp_path, noise) -> None:
    path = labelled([0, 0, noise, noise, noise])
    assert has_noise(path)
    assert read_clusters(path).column("cluster_size").to_pylist() == [3, 3, 1, 1, 1]
    assert read_cluster_sizes(path, IDS).tolist() == [1, 1, 1, 3, 3]
    with pytest.warns(UserWarning, match="no mmts footer"):
        shifts(path, tmp_path / "s.parquet", minimum=0.1, maximum=0.2)
    assert pq.read_table(tmp_path / "s.parquet").column("shift").to_pylist() == pytest.approx([0.2] * 2 + [0.1] * 3)


def test_clusters_without_noise_keep_their_sizes(labelled) -> None:
    path = labelled([0, 0, 1, 1, 1])
    assert not has_noise(path)
    assert read_cluster_sizes(path, IDS).tolist() == [96, 96, 96, 3, 3]


def test_each_sample_of_noise_apart_is_a_cluster_of_its_own() -> None:
    found = noise_apart(pa.array([4, -1, 2, -1, 4], pa.int32()).to_numpy())
    assert found.tolist() == [4, 5, 2, 6, 4]
