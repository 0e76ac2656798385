"""HDBSCAN, and what becomes of noise."""

import numpy as np
import pytest

from pipelines.cluster.methods.hdbscan import hdbscan
from pipelines.cluster.noise import resolve_noise
from pipelines.errors import InputError

ROWS = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8], [-1, 0], [0.96, 0.28]], dtype=np.float32)
CLUSTERS = np.array([0, 0, 1, 1, -1, -1])
EVERY = np.ones(6, dtype=bool)


def cosine(row_d, rows_kd) -> float:
    mean_d = np.mean(np.asarray(rows_kd, dtype=np.float64), axis=0)
    return float(row_d @ mean_d / np.linalg.norm(mean_d))


def test_separate_noise_stays_one_cluster() -> None:
    clustering = resolve_noise(ROWS, CLUSTERS, EVERY, "separate")
    assert clustering.cluster_n.tolist() == CLUSTERS.tolist()
    assert clustering.similarity_n[0] == pytest.approx(cosine(ROWS[0], ROWS[:2]))
    assert np.isnan(clustering.similarity_n).tolist() == [False] * 4 + [True] * 2  # noise has no centroid


def test_nearest_noise_joins_the_most_similar_mean() -> None:
    clustering = resolve_noise(ROWS, CLUSTERS, EVERY, "nearest")
    assert clustering.cluster_n.tolist() == [0, 0, 1, 1, 1, 0]
    assert clustering.similarity_n[5] == pytest.approx(cosine(ROWS[5], ROWS[[0, 1, 5]]))


def test_own_noise_gets_clusters_of_one() -> None:
    clustering = resolve_noise(ROWS, CLUSTERS, EVERY, "own")
    assert clustering.cluster_n.tolist() == [0, 0, 1, 1, 2, 3]
    assert clustering.similarity_n[4:] == pytest.approx([1, 1])


def test_nearest_means_are_of_fitted_rows() -> None:
    rows_nd = np.array([[1, 0], [0, 1], [-1, 0.1], [-1, -0.5]], dtype=np.float32)
    cluster_n, fitted_n = np.array([0, 1, 0, -1]), np.array([True, True, False, True])
    assert resolve_noise(rows_nd, cluster_n, fitted_n, "nearest").cluster_n.tolist() == [0, 1, 0, 1]


def test_clusters_are_not_changed_in_place() -> None:
    given = CLUSTERS.copy()
    resolve_noise(ROWS, given, EVERY, "own")
    assert given.tolist() == CLUSTERS.tolist()


@pytest.mark.parametrize("cluster_n", [np.full(6, -1), np.array([-1, -1, -1, -1, -1, 0])])
def test_nothing_but_noise_is_refused(cluster_n) -> None:
    with pytest.raises(InputError, match="every row is noise; lower --min-cluster-size"):
        resolve_noise(ROWS, cluster_n, np.arange(6) < 5, "nearest")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "6 rows to fit on are too few for --umap-dims 15, --umap-neighbors 15 and --min-cluster-size 15"),
        ({"umap_dims": 0}, "6 rows to fit on are too few for --min-cluster-size 15"),
    ],
)
def test_too_few_rows_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        hdbscan(ROWS, EVERY, **options)


def three_blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    blobs = [centre + 0.02 * rng.standard_normal((12, 4)) for centre in np.eye(4)[:3]]
    return np.concatenate([*blobs, [[-1, -1, -1, 1]]]).astype(np.float32), np.repeat(np.arange(3), 12)


@pytest.mark.parametrize("noise", ["separate", "nearest", "own"])
def test_dense_groups_without_umap(noise) -> None:
    matrix_nd, truth_n = three_blobs()
    fitted_n = np.arange(len(matrix_nd)) % 12 != 5
    clustering = hdbscan(matrix_nd, fitted_n, umap_dims=0, min_cluster_size=4, noise=noise)
    blob_of = {int(truth): set(clustering.cluster_n[:36][truth_n == truth].tolist()) for truth in range(3)}
    assert all(len(found) == 1 for found in blob_of.values())
    assert len(set.union(*blob_of.values())) == 3
    assert clustering.cluster_n[36] in {"separate": [-1], "nearest": [0, 1, 2], "own": [3]}[noise]
