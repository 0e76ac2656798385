"""The long tail by hand."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.cluster.clustering import describe_overlapping
from pipelines.errors import InputError
from pipelines.scores import frequency_edges
from pipelines.views.shifts import read_shift_rules
from pipelines.views.tail import read_tail

# Clusters 0 of 2, 1 of 6, 2 of 4 training samples, 3 that training never saw; and a sample of noise.
CLUSTERS = [0] * 2 + [1] * 6 + [2] * 4 + [3] + [-1]
SIZES = [2] * 2 + [6] * 6 + [4] * 4 + [0] + [9]
IDS = [f"s{row}" for row in range(len(CLUSTERS))]


@pytest.fixture
def clusters(tmp_path, write_artifact):
    table = {"sample_id": IDS, "cluster": pa.array(CLUSTERS, pa.int32()), "cluster_size": SIZES}
    return write_artifact(tmp_path / "clusters.parquet", table)


def test_clusters_by_size(clusters) -> None:
    tail = read_tail(clusters)
    assert len(tail) == 5
    assert tail.cluster_k.tolist() == [1, 2, 0, -1, 3]
    assert tail.size_k.tolist() == [6, 4, 2, 1, 0]
    assert tail.shifts is None
    # Of 13 training samples by size: 1, 2, 2, 4 x 4, 6 x 6. The middle one of the sixes is the tenth: in the head.
    assert tail.borders == (4, 6)
    assert tail.third_k.tolist() == [2, 1, 0, 0, 0]
    differences = np.abs(np.subtract.outer([6, 4, 2, 1], [6, 4, 2, 1]))
    assert tail.gini == pytest.approx(differences.sum() / (2 * 4 * 13))


def test_the_shifts_of_each_cluster(clusters, tmp_path, write_artifact) -> None:
    shift = np.linspace(0.1, 0.2, len(IDS))
    table = {"sample_id": IDS, "shift": pa.array(shift, pa.float32()), "cluster_size": SIZES}
    shuffled = pa.table(table).take([*range(5, len(IDS)), *range(5)])
    found = read_tail(clusters, write_artifact(tmp_path / "shifts.parquet", shuffled)).shifts
    for row, cluster in enumerate([1, 2, 0, -1, 3]):
        of_cluster = shift[np.array(CLUSTERS) == cluster]
        expected = of_cluster.min(), of_cluster.mean(), of_cluster.max()
        assert (found.minimum_k[row], found.mean_k[row], found.maximum_k[row]) == pytest.approx(expected, abs=1e-7)


def test_equal_clusters_are_all_of_one_third(tmp_path, write_artifact) -> None:
    table = {"sample_id": list("abcd"), "cluster": pa.array([7, 5, 7, 5], pa.int32()), "cluster_size": [2] * 4}
    tail = read_tail(write_artifact(tmp_path / "c.parquet", table))
    assert (tail.cluster_k.tolist(), tail.third_k.tolist(), tail.gini) == ([5, 7], [1, 1], 0)


def test_clusters_that_training_never_saw_are_refused(tmp_path, write_artifact) -> None:
    table = {"sample_id": ["a"], "cluster": pa.array([0], pa.int32()), "cluster_size": [0]}
    with pytest.raises(InputError, match=r"c\.parquet: no cluster has a training sample; make the clusters again"):
        read_tail(write_artifact(tmp_path / "c.parquet", table))


def test_samples_without_a_shift_are_counted(world) -> None:
    fewer = world.rewrite("shifts", lambda table: table.slice(3), "fewer.parquet")
    with pytest.raises(InputError, match=r"fewer\.parquet: 3 of 184 .* missing there, first: "):
        read_tail(world.clusters, fewer)


# Neighborhoods of five training samples, a test sample near four of them, and one near none.
NEAR = [4, 4, 4, 3, 1, 4, 0]


@pytest.fixture
def neighborhoods(tmp_path, write_artifact):
    ids = [f"s{row}" for row in range(len(NEAR))]
    table = {"sample_id": ids, "cluster": pa.array(range(len(NEAR)), pa.int32()), "cluster_size": NEAR}
    split = {"sample_id": ids, "text": ids, "split": ["train"] * 5 + ["test"] * 2}
    return write_artifact(tmp_path / "knn.parquet", table), write_artifact(tmp_path / "annotations.parquet", split)


def test_neighborhoods_count_each_training_sample_once(neighborhoods) -> None:
    clusters, annotations = neighborhoods
    tail = read_tail(clusters, annotations=annotations)
    assert (tail.centers, tail.seen, tail.counted(tail.seen)) == ("training samples", 5, "5 training samples")
    assert tail.size_k.tolist() == [4, 4, 4, 3, 1, 4, 0]  # those of test samples last
    assert tail.borders == frequency_edges(np.array(NEAR[:5]))
    assert tail.gini == pytest.approx(describe_overlapping(np.array(NEAR[:5]))["gini"])
    rules = read_shift_rules(clusters, annotations=annotations)
    assert [each.samples_b.sum() for each in rules.rules.values()] == [5] * 3


def test_neighborhoods_of_samples_whose_split_is_not_known(neighborhoods) -> None:
    tail = read_tail(neighborhoods[0])
    assert (tail.centers, tail.seen, tail.borders) == ("samples", 6, frequency_edges(np.array(NEAR[:6])))
