"""k-means in two levels, against its definition and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.geometry import normalised
from pipelines.cluster.hierarchical import apportion, fit_two_levels
from pipelines.cluster.methods.kmeans import kmeans


def rows(count=400, dimensions=6, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def test_seats_by_hand() -> None:
    """Quotients of 60: 20, 12, 8.6, 6.7; of 30: 10, 6; of 10: 3.3. Five seats beyond one each: 20, 12, 10, 8.6, 6.7."""
    assert apportion(8, [60, 30, 10], [60, 30, 10]) == [5, 2, 1]
    assert apportion(8, [60, 30, 10], [3, 30, 10]) == [3, 4, 1]
    assert apportion(3, [60, 30, 10], [1, 1, 1]) == [1, 1, 1]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_all_seats_are_taken_and_none_too_many(sizes, data) -> None:
    most = [data.draw(st.integers(1, size)) for size in sizes]
    seats = data.draw(st.integers(len(sizes), sum(most)))
    shares = apportion(seats, sizes, most)
    assert sum(shares) == seats
    assert all(1 <= share <= bound for share, bound in zip(shares, most, strict=True))


def test_by_definition() -> None:
    """Euclidean: coarse clusters, each clustered alone into its share, and then one iteration with all in numpy."""
    matrix_nd = rows()
    fit = CentroidFit(niter=20, spherical=False)
    coarse_n = fit.nearest(matrix_nd, fit.fit(matrix_nd, 5, 3))
    members = [matrix_nd[coarse_n == coarse] for coarse in range(5)]
    shares = apportion(25, [len(each) for each in members], [len(each) for each in members])
    fine_kd = np.concatenate([fit.fit(each, share, 3) for each, share in zip(members, shares, strict=True)])
    assert len(fine_kd) == 25
    nearest_n = ((matrix_nd[:, None] - fine_kd[None]) ** 2).sum(axis=2).argmin(axis=1)
    means_kd = np.stack([matrix_nd[nearest_n == cluster].mean(axis=0) for cluster in range(25)])
    assert fit_two_levels(matrix_nd, 25, 3, fit) == pytest.approx(means_kd, abs=1e-5)


@pytest.mark.parametrize("spherical", [True, False])
def test_each_row_has_the_nearest_centroid_of_all(spherical) -> None:
    matrix_nd = rows(seed=1)
    fitted_n = np.arange(400) % 4 > 0
    clustering = kmeans(matrix_nd, fitted_n, k=30, levels=2, spherical=spherical)
    rows_nd = normalised(matrix_nd) if spherical else matrix_nd
    centroids_kd = fit_two_levels(np.ascontiguousarray(rows_nd[fitted_n]), 30, 0, CentroidFit(20, spherical))
    distance_nk = ((rows_nd[:, None] - centroids_kd[None]) ** 2).sum(axis=2)
    assert clustering.cluster_n.tolist() == distance_nk.argmin(axis=1).tolist()


def test_it_is_as_tight_as_scikit_learn() -> None:
    """Points around 36 centres in 6 far groups, where random rows are a poor start for either."""
    rng = np.random.default_rng(0)
    groups_gd, centres = 20 * rng.standard_normal((6, 4)), np.repeat(np.arange(6), 6)
    centres_kd = groups_gd[centres] + 2 * rng.standard_normal((36, 4))
    matrix_nd = (np.repeat(centres_kd, 20, axis=0) + 0.3 * rng.standard_normal((720, 4))).astype(np.float32)

    def ours(seed: int) -> float:
        centroids_kd = fit_two_levels(matrix_nd, 36, seed, CentroidFit(20, spherical=False))
        return float(((matrix_nd[:, None] - centroids_kd[None]) ** 2).sum(axis=2).min(axis=1).sum())

    def theirs(seed: int) -> float:
        return float(KMeans(36, init="random", n_init=1, max_iter=20, random_state=seed).fit(matrix_nd).inertia_)

    assert np.median([ours(seed) for seed in range(10)]) < np.median([theirs(seed) for seed in range(10)])


def test_k_may_be_the_number_of_distinct_rows() -> None:
    matrix_nd = np.repeat(rows(40), 3, axis=0)
    clustering = kmeans(matrix_nd, np.ones(120, bool), k=40, levels=2)
    assert len(np.unique(clustering.cluster_n)) == 40
    assert kmeans(matrix_nd, np.ones(120, bool), k=1, levels=2).cluster_n.tolist() == [0] * 120


def test_the_seed_decides() -> None:
    matrix_nd, every = rows(seed=4), np.ones(400, bool)
    first, same, other = (kmeans(matrix_nd, every, k=30, seed=seed, levels=2).cluster_n for seed in (0, 0, 1))
    assert first.tolist() == same.tolist() != other.tolist()


def test_a_bound_on_rows_holds_on_both_levels(monkeypatch) -> None:
    given_bounds = []
    fit = CentroidFit.fit

    def spied(self, rows_md, k, seed, *start):
        given_bounds.append((k, self.max_points_per_centroid))
        return fit(self, rows_md, k, seed, *start)

    monkeypatch.setattr(CentroidFit, "fit", spied)
    kmeans(rows(), np.ones(400, bool), k=25, levels=2, max_points_per_centroid=4)
    assert given_bounds[0] == (5, 20)
    assert {bound for _, bound in given_bounds[1:]} == {4}
