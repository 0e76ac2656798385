"""k-means against plain loops in float64, faiss and scikit-learn."""

import math
import tracemalloc
from fractions import Fraction

import faiss
import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from pipelines.artifacts.matrix import MappedMatrix
from pipelines.cluster import centroids as centroids_module
from pipelines.cluster import exact, lloyd
from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.lloyd import Centroids, Clusters, bytes_of, in_threads

SPHERICAL = pytest.mark.parametrize("spherical", [True, False])


def rows(count=600, dimensions=12, seed=0) -> np.ndarray:
    """Points around 20 centres that overlap, of various lengths."""
    rng = np.random.default_rng(seed)
    centres_kd = rng.standard_normal((20, dimensions))[rng.integers(20, size=count)]
    points_nd = (centres_kd + rng.standard_normal((count, dimensions))) * rng.uniform(0.5, 2, (count, 1))
    return points_nd.astype(np.float32)


def points(matrix_nd: np.ndarray, spherical: bool) -> np.ndarray:
    exact_nd = matrix_nd.astype(np.float64)
    return exact_nd / np.linalg.norm(exact_nd, axis=1, keepdims=True) if spherical else exact_nd


def plain(matrix_nd: np.ndarray, start_kd: np.ndarray, niter: int, spherical: bool) -> np.ndarray:
    """Lloyd's iterations by definition."""
    points_nd, centroids_kd = points(matrix_nd, spherical), start_kd.astype(np.float64)
    for _ in range(niter):
        label_n = ((points_nd[:, None] - centroids_kd[None]) ** 2).sum(axis=2).argmin(axis=1)
        centroids_kd = np.stack([points_nd[label_n == cluster].mean(axis=0) for cluster in range(len(start_kd))])
        centroids_kd = points(centroids_kd, spherical).astype(np.float32).astype(np.float64)
    return centroids_kd


@SPHERICAL
@pytest.mark.parametrize("niter", [1, 2, 12])
def test_by_definition(niter, spherical) -> None:
    matrix_nd = rows()
    start_kd = points(matrix_nd[:15], spherical).astype(np.float32)
    found_kd = CentroidFit(niter, spherical).fit(matrix_nd, 15, 0, start_kd)
    assert found_kd == pytest.approx(plain(matrix_nd, start_kd, niter, spherical), abs=2e-7)


@SPHERICAL
def test_threads_and_blocks_change_no_bit(spherical, monkeypatch) -> None:
    """With blocks of 5 products are of other shapes, which BLAS sums in other orders."""
    matrix_nd = rows(4_500)
    fit = CentroidFit(9, spherical)
    found = []
    for threads, block in ((1, None), (2, None), (2, 5)):
        if block:
            monkeypatch.setattr(centroids_module, "BLOCK_ROWS", 35)
            monkeypatch.setattr(lloyd, "BLOCK_ROWS", block)
        with threadpool_limits(threads):
            centroids_kd = fit.fit(matrix_nd, 40, 1)
            found.append(centroids_kd.tobytes() + fit.nearest(matrix_nd, centroids_kd).tobytes())
    assert found[0] == found[1] == found[2]


@SPHERICAL
def test_what_float32_can_not_tell_float64_decides(spherical) -> None:
    rng = np.random.default_rng(0)
    matrix_nd, one_kd = (rng.standard_normal((n, 384)).astype(np.float32) for n in (500, 4))
    near_kd = np.repeat(points(one_kd, True), 2, axis=0).astype(np.float32)
    near_kd[1::2, 0] += 1e-7
    half_k = 0 if spherical else (near_kd.astype(np.float64) ** 2).sum(axis=1) / 2
    exact_n = (matrix_nd.astype(np.float64) @ near_kd.astype(np.float64).T - half_k).argmax(axis=1)
    assert ((matrix_nd @ near_kd.T - np.float32(half_k)).argmax(axis=1) != exact_n).sum() > 10
    assert CentroidFit(1, spherical).nearest(matrix_nd, near_kd).tolist() == exact_n.tolist()


@SPHERICAL
def test_of_equal_centroids_the_first_is_nearest_however_many_rows_are_compared(spherical) -> None:
    rng = np.random.default_rng(0)
    centroids_kd = rng.normal(size=(203, 384)).astype(np.float32)
    centroids_kd[-1] = centroids_kd[0]
    rows_nd = (centroids_kd[[0] * 64] + rng.normal(size=(64, 384)) * 0.01).astype(np.float32)
    fit = CentroidFit(1, spherical)
    assert not fit.nearest(rows_nd, centroids_kd).any()
    assert not any(fit.nearest(row_d[None], centroids_kd)[0] for row_d in rows_nd)


@SPHERICAL
def test_what_float64_can_not_tell_exact_sums_decide(spherical) -> None:
    """Centroids that differ by 2**-60 of the largest product, which float64 loses or not as it sums."""
    big, small = 2.0**30, 2.0**-30
    rows_nd = np.array([[big, small, -big, 1], [big, small, -big, -1]], dtype=np.float32)
    centroids_kd = np.array([[big, 1, big, 0], [big, 2, big, 0], [big, 2, big, 0]], dtype=np.float32)
    by_hand = [1, 1] if spherical else [0, 0]  # small, or twice that; less about 2**60 they round to the same
    for order in ([0, 1, 2, 3], [0, 2, 1, 3], [3, 1, 0, 2]):
        columns_nd, points_kd = (np.ascontiguousarray(each[:, order]) for each in (rows_nd, centroids_kd))
        assert CentroidFit(1, spherical).nearest(columns_nd, points_kd).tolist() == by_hand


def tags(count: int, dimensions: int, each: int) -> np.ndarray:
    """Rows of so many ones, the rest 0."""
    return (
        np.random.default_rng(0).permuted(np.arange(dimensions) < np.full((count, 1), each), axis=1).astype(np.float32)
    )


def constant_and_one_hot(count: int, dimensions: int) -> np.ndarray:
    rows_nd = np.eye(dimensions, dtype=np.float32)[1 + np.arange(count) % (dimensions - 1)]
    rows_nd[:, 0] = 1
    return rows_nd


def signs(count: int, dimensions: int) -> np.ndarray:
    return np.sign(rows(count, dimensions))


def of_all_sizes(count: int, dimensions: int) -> np.ndarray:
    """Few numbers of very different sizes, with both zeros, and subnormal ones."""
    numbers = np.array([0, -0.0, 1e-45, -3e-39, 1e-20, 0.1, -0.1, 1, 1.5e38, -1.5e38], dtype=np.float32)
    return np.random.default_rng(0).choice(numbers, (count, dimensions))


@SPHERICAL
@pytest.mark.parametrize(
    "matrix_nd", [tags(30, 20, 3), tags(30, 20, 10), constant_and_one_hot(30, 40), signs(30, 8), of_all_sizes(30, 4)]
)
def test_ties_are_decided_by_exact_sums_and_hardly_any_one_by_one(matrix_nd, spherical, monkeypatch) -> None:
    """Among rows, their means, and both again."""
    asked = []
    monkeypatch.setattr(exact.math, "fsum", lambda numbers, fsum=math.fsum: asked.append(1) or fsum(numbers))
    with np.errstate(over="ignore"):
        start_kd = CentroidFit(1, spherical)._points(matrix_nd[:9])
        mean_kd = CentroidFit(1, spherical).fit(matrix_nd, 9, 0, start_kd)
    points_kd = np.concatenate([start_kd, mean_kd, mean_kd[::-1], start_kd])
    length_n = np.linalg.norm(matrix_nd.astype(np.float64), axis=1)
    asked.clear()
    label_n = Centroids(points_kd, spherical).nearest(matrix_nd, length_n)[0]
    assert len(asked) < 0.01 * len(matrix_nd) * len(points_kd)
    row_fractions, centroid_fractions = (
        [[Fraction(x) for x in row] for row in a.tolist()] for a in (matrix_nd, points_kd)
    )
    half_k = [0 if spherical else sum(x * x for x in point) / 2 for point in centroid_fractions]
    for row, label in zip(row_fractions, label_n.tolist(), strict=True):
        score_k = [
            float(sum(x * y for x, y in zip(row, point, strict=True) if x and y) - half)
            for point, half in zip(centroid_fractions, half_k, strict=True)
        ]
        assert label == score_k.index(max(score_k))


def test_what_ties_take_is_counted() -> None:
    """Each row is as near to every centroid."""
    points_kd = np.stack([np.ones(512), np.arange(512)], axis=1).astype(np.float32)
    centroids, rows_nd = Centroids(points_kd, spherical=True), np.eye(1, 2, dtype=np.float32).repeat(1_024, axis=0)
    tracemalloc.start()
    label_n = centroids.nearest(rows_nd, np.ones(1_024))[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not label_n.any()
    with threadpool_limits(1):
        assert 0.4 * bytes_of(512, 2) < peak < bytes_of(512, 2)


@SPHERICAL
def test_rows_that_can_not_change_are_left_out(spherical, monkeypatch) -> None:
    compared = []
    nearest = Centroids.nearest

    def spied(self, rows_nd, length_n):
        compared.append(len(rows_nd))
        return nearest(self, rows_nd, length_n)

    matrix_nd = rows(2_000)
    start_kd = points(matrix_nd[:15], spherical).astype(np.float32)
    monkeypatch.setattr(Centroids, "nearest", spied)
    found_kd = CentroidFit(40, spherical).fit(matrix_nd, 15, 0, start_kd)
    assert compared[0] == 2_000
    assert sum(compared) < 0.9 * 2_000 * len(compared)
    assert found_kd == pytest.approx(plain(matrix_nd, start_kd, 40, spherical), abs=1e-6)


def test_it_stops_where_no_row_changes(monkeypatch) -> None:
    moved = []
    monkeypatch.setattr(lloyd, "_means", lambda *args, means=lloyd._means: moved.append(1) or means(*args))
    matrix_nd = np.repeat(np.eye(3, 5, dtype=np.float32), 4, axis=0)
    assert len(np.unique(CentroidFit(1_000, True).fit(matrix_nd, 3, 0), axis=0)) == 3
    assert len(moved) == 1


@SPHERICAL
def test_half_precision_on_the_disk_is_converted_block_by_block(spherical, tmp_path, monkeypatch) -> None:
    half_nd = rows(5_000).astype(np.float16)
    mapped = MappedMatrix(half_nd.shape, np.float16, tmp_path)
    mapped[0:5_000] = half_nd
    monkeypatch.setattr(MappedMatrix, "__array__", lambda *_: pytest.fail("all of it was read at once"))
    fit = CentroidFit(5, spherical)
    whole_nd = half_nd.astype(np.float32)
    centroids_kd = fit.fit(whole_nd, 30, 0)
    with threadpool_limits(2):
        assert fit.fit(mapped, 30, 0).tobytes() == centroids_kd.tobytes()
        assert fit.nearest(mapped, centroids_kd).tolist() == fit.nearest(whole_nd, centroids_kd).tolist()


class Counted:
    """Rows that count how often blocks of them are read."""

    def __init__(self, matrix_nd: np.ndarray) -> None:
        self.matrix_nd, self.blocks = matrix_nd, 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.matrix_nd.shape

    def __len__(self) -> int:
        return len(self.matrix_nd)

    def __getitem__(self, part):
        self.blocks += isinstance(part, slice)
        return self.matrix_nd[part]


def test_seeds_share_each_pass_and_change_nothing() -> None:
    matrix_nd, fit = rows(5_000), CentroidFit(3, True)
    alone, together = Counted(matrix_nd), Counted(matrix_nd)
    single = [fit.fit(alone, 30, seed) for seed in range(4)]
    shared = fit.fit_seeds(together, 30, range(4))
    assert [each.tobytes() for each in shared] == [each.tobytes() for each in single]
    assert alone.blocks == 4 * together.blocks == 4 * 4 * 3  # three blocks: their lengths, and three iterations


@SPHERICAL
def test_a_cluster_without_rows_takes_half_of_the_largest(spherical) -> None:
    rng = np.random.default_rng(0)
    matrix_nd = (np.repeat([[9, 0, 1], [0, 9, 1]], [80, 20], axis=0) + rng.standard_normal((100, 3))).astype(np.float32)
    start_kd = np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1e3]], dtype=np.float32)
    fit = CentroidFit(20, spherical)
    found_n = fit.nearest(matrix_nd, fit.fit(matrix_nd, 3, 0, start_kd))
    assert set(found_n[:80]) == {0, 2}
    assert set(found_n[80:]) == {1}


def test_it_starts_from_distinct_rows() -> None:
    """One row of a thousand is another: k-means finds it, whatever the seed."""
    matrix_nd = np.zeros((1_000, 2), dtype=np.float32)
    matrix_nd[:, 0], matrix_nd[437] = 1, [0, 1]
    for seed in range(5):
        assert sorted(CentroidFit(1, True).fit(matrix_nd, 2, seed).tolist()) == [[0, 1], [1, 0]]


def test_it_is_what_faiss_finds() -> None:
    """From the same rows; faiss sums in float32."""
    matrix_nd = points(rows(4_000, 24), True).astype(np.float32)
    model = faiss.Kmeans(24, 60, niter=15, seed=5, spherical=True, max_points_per_centroid=10**6)
    model.train(matrix_nd)
    fit = CentroidFit(15, True)
    found_kd = fit.fit(matrix_nd, 60, 5)
    assert found_kd == pytest.approx(model.centroids, abs=1e-5)
    assert fit.nearest(matrix_nd, found_kd).tolist() == model.index.search(matrix_nd, 1)[1][:, 0].tolist()


def test_it_is_as_tight_as_scikit_learn() -> None:
    """The same number of iterations from random rows, the mean of eight seeds: within 0.5%."""
    matrix_nd = rows(2_000, 24)

    def inertia(centroids_kd: np.ndarray) -> float:
        scores_nk = 2 * matrix_nd @ centroids_kd.T - (centroids_kd**2).sum(axis=1)
        return float(((matrix_nd**2).sum(axis=1) - scores_nk.max(axis=1)).sum())

    def theirs(seed: int) -> np.ndarray:
        model = KMeans(40, init="random", n_init=1, max_iter=15, tol=0, random_state=seed)
        return model.fit(matrix_nd).cluster_centers_

    ours = CentroidFit(15, spherical=False).fit_seeds(matrix_nd, 40, range(8))
    assert np.mean([*map(inertia, ours)]) < 1.005 * np.mean([inertia(theirs(seed)) for seed in range(8)])


def test_threads_leave_blas_as_it_was_and_say_what_went_wrong() -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2):
        before = threads()
        with in_threads() as each:
            assert list(each(lambda number: (number, set(threads())), [1, 2])) == [(1, {1}), (2, {1})]
        with pytest.raises(ZeroDivisionError), in_threads() as each:
            list(each(lambda number: 1 / number, [1, 0]))
        assert threads() == before


@SPHERICAL
def test_sums_that_wait_are_bounded_and_change_no_bit(spherical, monkeypatch) -> None:
    monkeypatch.setattr(lloyd, "_SUMMED_ROWS", 50)
    matrix_nd, waiting = rows(4_500), []
    move = Clusters.move

    def spied(self, rows_md, length_m, each):
        move(self, rows_md, length_m, lambda call, parts: (waiting.append(len(parts)), each(call, parts))[1])

    monkeypatch.setattr(Clusters, "move", spied)
    many_kd = CentroidFit(5, spherical).fit(matrix_nd, 40, 1)
    most = max(waiting)
    waiting.clear()
    monkeypatch.setattr(lloyd, "_SUMS_BYTES", 2 * 24 * 40 * 12)
    assert CentroidFit(5, spherical).fit(matrix_nd, 40, 1).tobytes() == many_kd.tobytes()
    assert (most, max(waiting)) == (8, 2)


def test_what_many_centroids_take_is_bounded_and_said() -> None:
    k, dimension = 50_000, 768
    assert bytes_of(k, dimension) < 2**30 + 64 * k * dimension + 64 * 4 * 512 * k
    assert bytes_of(k, dimension, seeds=3) - bytes_of(k, dimension) == 2 * 20 * k * dimension


def test_two_that_use_threads_at_once_leave_blas_as_it_was() -> None:
    """The first to enter is the first to leave."""
    with threadpool_limits(2):
        first, second = in_threads(), in_threads()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {2}
