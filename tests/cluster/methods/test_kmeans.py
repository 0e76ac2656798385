"""k-means against numpy."""

import numpy as np
import pytest

from pipelines.cluster.geometry import cosine_to, normalised
from pipelines.cluster.methods.kmeans import kmeans
from pipelines.errors import InputError


def blobs(clusters=4, rows=30, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres_kd = rng.standard_normal((clusters, 16)) * 3
    points = np.repeat(centres_kd, rows, axis=0) + 0.1 * rng.standard_normal((clusters * rows, 16))
    return (points * rng.uniform(0.5, 2, (len(points), 1))).astype(np.float32)


def everything(matrix_nd) -> np.ndarray:
    return np.ones(len(matrix_nd), dtype=bool)


def groups(cluster_n) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(cluster_n == cluster).tolist()) for cluster in np.unique(cluster_n)}


def test_separate_blobs_are_found() -> None:
    matrix_nd = blobs()
    truth = groups(np.repeat(np.arange(4), 30))
    assert any(groups(kmeans(matrix_nd, everything(matrix_nd), k=4, seed=seed).cluster_n) == truth for seed in range(5))


def test_spherical_clusters_are_a_fixed_point_in_numpy() -> None:
    """After convergence each row is with the mean direction it is most similar to; similarities are to these."""
    matrix_nd = np.random.default_rng(1).standard_normal((200, 8)).astype(np.float32)
    clustering = kmeans(matrix_nd, everything(matrix_nd), k=5, niter=100)
    rows_nd = matrix_nd.astype(np.float64) / np.linalg.norm(matrix_nd.astype(np.float64), axis=1, keepdims=True)
    centroids_kd = np.stack([rows_nd[clustering.cluster_n == cluster].mean(axis=0) for cluster in range(5)])
    centroids_kd /= np.linalg.norm(centroids_kd, axis=1, keepdims=True)
    similarity_nk = rows_nd @ centroids_kd.T
    assert similarity_nk.argmax(axis=1).tolist() == clustering.cluster_n.tolist()
    assert clustering.similarity_n == pytest.approx(similarity_nk.max(axis=1), abs=1e-5)


def test_euclidean_clusters_are_a_fixed_point_in_numpy() -> None:
    matrix_nd = np.random.default_rng(2).standard_normal((200, 4)).astype(np.float32)
    cluster_n = kmeans(matrix_nd, everything(matrix_nd), k=5, niter=100, spherical=False).cluster_n
    centroids_kd = np.stack([matrix_nd[cluster_n == cluster].mean(axis=0) for cluster in range(5)])
    distance_nk = ((matrix_nd[:, None] - centroids_kd[None]) ** 2).sum(axis=2)
    assert distance_nk.argmin(axis=1).tolist() == cluster_n.tolist()


def test_spherical_clusters_do_not_depend_on_lengths() -> None:
    matrix_nd = blobs()
    lengths_n1 = np.exp2(np.random.default_rng(0).integers(-3, 4, (len(matrix_nd), 1))).astype(np.float32)
    first, scaled = (kmeans(m, everything(m), k=4) for m in (matrix_nd, matrix_nd * lengths_n1))
    assert first.cluster_n.tolist() == scaled.cluster_n.tolist()


def test_rows_that_are_not_fitted_leave_the_centroids_alone() -> None:
    matrix_nd = blobs()
    fitted_n = np.arange(len(matrix_nd)) % 3 > 0
    alone = kmeans(matrix_nd[fitted_n], everything(matrix_nd[fitted_n]), k=4)
    shared = kmeans(matrix_nd, fitted_n, k=4)
    assert shared.cluster_n[fitted_n].tolist() == alone.cluster_n.tolist()
    assert shared.similarity_n[fitted_n].tolist() == alone.similarity_n.tolist()


def test_all_rows_are_used_unless_a_bound_is_given() -> None:
    """By itself faiss samples 256 points a centroid: one centroid of 1,000 rows has to be the mean of all of them."""
    matrix_nd = np.random.default_rng(3).standard_normal((1_000, 4)).astype(np.float32) + 1
    mean_d = normalised(matrix_nd).mean(axis=0)
    every = kmeans(matrix_nd, everything(matrix_nd), k=1).similarity_n
    sample = kmeans(matrix_nd, everything(matrix_nd), k=1, max_points_per_centroid=5).similarity_n
    expected_n = normalised(matrix_nd) @ (mean_d / np.linalg.norm(mean_d))
    assert every == pytest.approx(expected_n, abs=1e-5)
    assert np.abs(sample - expected_n).max() > 1e-2


def test_the_seed_decides() -> None:
    matrix_nd = np.random.default_rng(4).standard_normal((300, 8)).astype(np.float32)
    first, same, other = (kmeans(matrix_nd, everything(matrix_nd), k=20, seed=seed).cluster_n for seed in (0, 0, 1))
    assert first.tolist() == same.tolist() != other.tolist()


def test_k_may_be_the_number_of_distinct_rows_and_no_more() -> None:
    matrix_nd = np.repeat(np.eye(5, dtype=np.float32), 3, axis=0)
    assert kmeans(matrix_nd, everything(matrix_nd), k=5).cluster_n.max() < 5
    with pytest.raises(
        InputError, match="--k 6: the 15 rows to fit on hold only 5 distinct points; the largest k is 5"
    ):
        kmeans(matrix_nd, everything(matrix_nd), k=6)
    with pytest.raises(InputError, match="the 3 rows to fit on hold only 1 distinct points; the largest k is 1"):
        kmeans(matrix_nd, np.arange(15) < 3, k=2)


def test_a_zero_row_has_no_similarity() -> None:
    rows_nd = np.array([[0, 0], [3, 4]], dtype=np.float32)
    assert normalised(rows_nd).tolist() == [[0, 0], [np.float32(0.6), np.float32(0.8)]]
    assert cosine_to(rows_nd, rows_nd[1:], np.array([0, 0])) == pytest.approx([0, 1])


@pytest.mark.parametrize(("options", "remedy"), [({}, ""), ({"max_points_per_centroid": 1}, ", or raise")])
def test_clusters_without_rows_are_told(options, remedy) -> None:
    """Directions that rounding tells apart at other lengths, and few distinct rows in a sample."""
    directions_nd = np.random.default_rng(0).standard_normal((50, 16))
    if options:
        matrix_nd = np.concatenate([directions_nd, np.repeat(directions_nd[:1], 950, axis=0)]).astype(np.float32)
    else:
        matrix_nd = np.concatenate([directions_nd * length for length in (1, 0.3, 0.7, 1.1)]).astype(np.float32)
    k = 40 if options else 80
    with pytest.warns(UserWarning, match=rf"^--k {k}: only \d+ clusters have rows, as .* alike; lower it{remedy}"):
        found = kmeans(matrix_nd, everything(matrix_nd), k=k, **options)
    assert len(np.unique(found.cluster_n)) < k


@pytest.mark.parametrize("spherical", [True, False])
@pytest.mark.parametrize("exponent", [126, 64, -80, -120])
def test_magnitudes_that_float32_can_not_square_change_nothing(exponent, spherical) -> None:
    matrix_nd = (blobs(3, 40) / 16).astype(np.float16).astype(np.float32)
    found, scaled = (
        kmeans(each, everything(each), k=3, spherical=spherical) for each in (matrix_nd, np.ldexp(matrix_nd, exponent))
    )
    assert scaled.cluster_n.tolist() == found.cluster_n.tolist()
    assert scaled.similarity_n == pytest.approx(found.similarity_n, abs=1e-6)
