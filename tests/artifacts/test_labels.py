"""Labels are beside the clusters they were made for, and are not taken for those of others."""

from pathlib import Path

import pytest

from pipelines.artifacts import labels_path, read_labels
from pipelines.cluster import cluster
from pipelines.cluster.labels import write_labels


@pytest.mark.parametrize("name", ["clusters.parquet", "clusters"])
def test_their_name_follows_the_clusters(name) -> None:
    assert labels_path(Path("of", name)) == Path("of/clusters.labels.parquet")


def test_they_are_read_while_the_clusters_are_the_same(world, tmp_path) -> None:
    path = tmp_path / "c.parquet"
    cluster(world.text, path, k=3)
    assert read_labels(path) is None
    write_labels(path, world.annotations)
    assert read_labels(path).column_names == ["cluster", "cluster_size", "words", "texts"]
    cluster(world.text, path, k=4)
    with pytest.warns(UserWarning, match=r"c\.labels\.parquet: not made from the clusters that are now in c\.parquet"):
        assert read_labels(path) is None


def test_another_tools_file_of_that_name_is_not_read(world, tmp_path) -> None:
    labels_path(world.clusters).write_bytes(world.clusters.read_bytes())
    with pytest.warns(UserWarning, match=r"clusters\.labels\.parquet: not made from"):
        assert read_labels(world.clusters) is None
