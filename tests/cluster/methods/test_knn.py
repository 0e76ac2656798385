"""Density from nearest neighbors, against explicit loops and scikit-learn."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.neighbors import NearestNeighbors

from pipelines.artifacts import gini
from pipelines.cluster import cluster, lloyd, neighborhoods
from pipelines.cluster.clustering import describe_overlapping
from pipelines.cluster.geometry import normalised
from pipelines.cluster.methods.knn import knn
from pipelines.errors import InputError
from pipelines.shifts import shifts

FIVE = [[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [1.0, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def rows(count=120, dimensions=5, seed=0) -> np.ndarray:
    """Crowded around one direction, and thin elsewhere."""
    rng = np.random.default_rng(seed)
    spread_n1 = np.linspace(0.1, 2, count)[:, None]
    return (np.eye(dimensions)[0] + spread_n1 * rng.standard_normal((count, dimensions))).astype(np.float32)


def by_definition(matrix_nd, count_n, neighbors) -> tuple[list[int], float]:
    """The median k-th similarity by scikit-learn, and who lies within it by a loop in float64."""
    matrix_nd = matrix_nd.astype(np.float64)
    matrix_nd /= np.linalg.norm(matrix_nd, axis=1, keepdims=True)
    fitted_md = matrix_nd[count_n > 0]
    nearest = NearestNeighbors(n_neighbors=neighbors, metric="cosine").fit(fitted_md)
    least = np.median(1 - nearest.kneighbors()[0][:, -1])  # of the fitted rows, themselves left out
    sizes = [
        sum(int(count) for other, count in zip(matrix_nd, count_n, strict=True) if row @ other >= least - 1e-5)
        for row in matrix_nd
    ]
    return sizes, float(least)


@pytest.mark.parametrize("neighbors", [1, 7, 40])
def test_sizes_by_definition(neighbors) -> None:
    matrix_nd = rows()
    count_n = np.random.default_rng(1).choice([0, 1, 1, 3], len(matrix_nd))
    clustering = knn(matrix_nd, count_n, neighbors=neighbors)
    sizes, least = by_definition(matrix_nd, count_n, neighbors)
    assert clustering.size_n.tolist() == sizes
    assert clustering.figures["least_similarity"] == pytest.approx(least, abs=1e-6)
    assert clustering.figures["median"] == np.median(np.array(sizes)[count_n > 0])
    assert clustering.figures["recall"] == 1


def test_half_of_the_fitted_rows_have_as_many_neighbors() -> None:
    matrix_nd = rows(101)
    size_n = knn(matrix_nd, np.ones(101, bool), neighbors=9).size_n
    assert np.median(size_n) == 10  # nine, and itself


def test_a_row_counts_itself_only_if_it_was_fitted() -> None:
    matrix_nd = np.array(FIVE, dtype=np.float32)
    assert knn(matrix_nd, np.array([1, 1, 1, 1, 0]), neighbors=2).size_n.tolist() == [3, 3, 3, 1, 0]


def test_duplicates_are_neighbors_even_where_most_rows_are_duplicates() -> None:
    matrix_nd = np.repeat(rows(6, 64), [20, 5, 5, 4, 3, 1], axis=0)
    size_n = knn(matrix_nd, np.ones(38, bool), neighbors=3).size_n
    assert size_n.tolist() == np.repeat([20, 5, 5, 4, 3, 1], [20, 5, 5, 4, 3, 1]).tolist()


def test_sizes_do_not_depend_on_lengths_of_vectors_or_blocks(monkeypatch) -> None:
    matrix_nd = rows()
    whole = knn(matrix_nd, np.ones(120, bool), neighbors=7).size_n
    monkeypatch.setattr(neighborhoods, "_BLOCK_VALUES", 120 * 7)
    lengths_n1 = np.exp2(np.random.default_rng(0).integers(-3, 4, (120, 1))).astype(np.float32)
    assert knn(matrix_nd * lengths_n1, np.ones(120, bool), neighbors=7).size_n.tolist() == whole.tolist()


def around_of(matrix_nd, count_n, least, monkeypatch, exact_rows=1_000) -> neighborhoods.Neighborhoods:
    """Neighborhoods of rows that are too many for all of their similarities."""
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", exact_rows)
    fitted = np.flatnonzero(count_n)
    return neighborhoods.neighborhoods_of(matrix_nd[fitted], count_n[fitted], least, matrix_nd[fitted[::5]])


def test_past_a_size_rows_look_through_cells_of_similar_centroids(monkeypatch) -> None:
    """Cells, which of them a row looks through, and the share of its neighborhood there, by definition."""
    matrix_nd, count_n = normalised(rows(3_000, 16)), np.random.default_rng(1).choice([0, 1, 2], 3_000)
    least = 0.6
    around = around_of(matrix_nd, count_n, least, monkeypatch)
    score_nc = np.rint(matrix_nd * 2**11) / 2**11 @ around.centroids_cd.T
    looks_nc = (score_nc >= around.reach) | (score_nc == score_nc.max(axis=1, keepdims=True))
    is_near_nm = matrix_nd.astype(np.float64) @ matrix_nd.T >= least - 1e-5
    found_nm = is_near_nm & looks_nc[:, score_nc.argmax(axis=1)]
    assert around.sizes(matrix_nd).tolist() == (found_nm @ count_n).tolist()
    share_n = (found_nm @ count_n) / np.maximum(is_near_nm @ count_n, 1)
    sample = np.flatnonzero(count_n)[::5]
    assert around.recall == pytest.approx(share_n[sample].mean())
    assert neighborhoods.LEAST_RECALL <= around.recall < neighborhoods.LEAST_RECALL + 0.02
    assert share_n[np.flatnonzero(count_n)].mean() == pytest.approx(around.recall, abs=0.02)  # of all, by a sample
    assert looks_nc.mean() < 0.5


def test_a_recall_of_all_is_exact(monkeypatch) -> None:
    matrix_nd, count_n = normalised(rows(1_200, 16)), np.ones(1_200, dtype=np.int64)
    exact = around_of(matrix_nd, count_n, 0.8, monkeypatch, exact_rows=2_000)
    monkeypatch.setattr(neighborhoods, "LEAST_RECALL", 2)
    every = around_of(matrix_nd, count_n, 0.8, monkeypatch)
    assert exact.centroids_cd is None
    assert every.centroids_cd is not None
    assert (every.sizes(matrix_nd).tolist(), every.recall) == (exact.sizes(matrix_nd).tolist(), pytest.approx(1))


def test_recall_is_measured_on_rows_that_have_neighbors(monkeypatch) -> None:
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", 1_000)
    matrix_nd, count_n = normalised(rows(1_200, 16)), np.ones(1_200, dtype=np.int64)
    found, with_others = (
        neighborhoods.neighborhoods_of(matrix_nd, count_n, 0.6, sample_sd)
        for sample_sd in (matrix_nd[:300], np.concatenate([matrix_nd[:300], -np.eye(16, dtype=np.float32)[:1]]))
    )
    assert (with_others.reach, with_others.recall) == (found.reach, pytest.approx(found.recall))


def test_cells_take_rows_that_are_nearly_all_alike(monkeypatch) -> None:
    """Fewer are distinct than there are cells."""
    matrix_nd = normalised(np.repeat(rows(20, 64), 100, axis=0))
    around = around_of(matrix_nd, np.ones(2_000, dtype=np.int64), 0.9999, monkeypatch)
    assert (around.sizes(matrix_nd).tolist(), around.recall) == ([100] * 2_000, pytest.approx(1))


@pytest.mark.parametrize("exact_rows", [1_000, 10_000])
def test_counts_are_the_same_to_the_last_whatever_the_blocks_and_the_threads(exact_rows, monkeypatch) -> None:
    matrix_nd, count_n = rows(3_000, 16), np.random.default_rng(1).choice([0, 1, 2], 3_000)
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", exact_rows)
    monkeypatch.setattr(lloyd, "blas_threads", lambda: 1)
    one = knn(matrix_nd, count_n, neighbors=20)
    monkeypatch.setattr(lloyd, "blas_threads", lambda: 3)
    monkeypatch.setattr("pipelines.cluster.products._WORKER_ROWS", 700)
    for name, size in (("_BLOCK_VALUES", 5_000), ("_CELL_ROWS", 100)):
        monkeypatch.setattr(neighborhoods, name, size)
    other = knn(matrix_nd, count_n, neighbors=20)
    assert one.size_n.tolist() == other.size_n.tolist()
    assert one.figures == other.figures


def test_close_calls_are_decided_in_float64() -> None:
    """Similarities that float32 can't tell from the least one."""
    angles = np.arccos(0.5 - 1e-5 + np.linspace(-3e-9, 3e-9, 200))
    rows_nd = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    fitted_md = np.array([[1, 0]], dtype=np.float32)
    around = neighborhoods.Neighborhoods(fitted_md, np.array([3]), np.array([0, 1]), 0.5)
    exact_n = np.rint(rows_nd[:, 0].astype(np.float64) * 2**26) / 2**26
    assert around.sizes(rows_nd).tolist() == np.where(exact_n >= 0.5 - 1e-5, 3, 0).tolist()
    assert set(around.sizes(rows_nd)) == {0, 3}


@pytest.mark.parametrize("k", [1, 5, 90, 700])
@pytest.mark.parametrize("block", [600, 100_000])
def test_the_kth_similarity_by_definition(monkeypatch, k, block) -> None:
    """Of rows that come in any order, those nearest first or last, and of which many are equally near."""
    monkeypatch.setattr(neighborhoods, "_BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    fitted_md = normalised(np.concatenate([np.repeat(rows(50, 8), 6, axis=0), rows(400, 8, seed=1)]))
    rows_nd = fitted_md[rng.permutation(700)[:30]]
    exact_nm = (np.rint(rows_nd.astype(np.float64) * 2**26) @ np.rint(fitted_md.astype(np.float64) * 2**26).T) / 2**52
    expected = np.sort(exact_nm, axis=1)[:, -k].tolist()
    toward = np.argsort(fitted_md @ rows_nd[0])
    for order in (rng.permutation(700), toward, toward[::-1]):
        parts = np.array_split(fitted_md[order], 3)
        assert neighborhoods.kth_similarity(rows_nd, parts, k).tolist() == expected


def test_few_pairs_are_compared_in_float64(monkeypatch) -> None:
    """Of a row and another for the k-th similarity: about k times the logarithm of how many there are."""
    compared, similarities = [], neighborhoods._similarities

    def spied(rows_nd, row, *others):
        compared.append(len(row))
        return similarities(rows_nd, row, *others)

    monkeypatch.setattr(neighborhoods, "_similarities", spied)
    fitted_md = normalised(np.random.default_rng(0).standard_normal((8_000, 32)).astype(np.float32))
    neighborhoods.kth_similarity(fitted_md[:100], [fitted_md], 10)
    assert sum(compared) < 100 * 10 * 12
    assert len(compared) > 3


def test_overlapping_sizes_of_real_clusters_are_described_as_those() -> None:
    sizes = np.array([50, 20, 20, 9, 1])
    described = describe_overlapping(np.repeat(sizes, sizes))
    assert (described["largest"], described["smallest"]) == (50, 1)
    assert described["effective_clusters"] == pytest.approx(5)
    assert described["gini"] == pytest.approx(gini(sizes))


def test_more_neighbors_than_rows_are_refused() -> None:
    with pytest.raises(InputError, match="--neighbors 5: each of the 5 rows to fit on has only 4 neighbors; lower it"):
        knn(rows(8), np.array([1, 1, 1, 1, 1, 0, 0, 0]), neighbors=5)


def test_the_file_and_what_is_said(tmp_path, write_artifact, mmts, monkeypatch) -> None:
    table = {"sample_id": list("abcde"), "embedding": FIVE, "split": ["train"] * 4 + ["test"]}
    write_artifact(tmp_path / "e.parquet", table)
    monkeypatch.chdir(tmp_path)
    said = mmts("cluster", "e.parquet", "-o", "c.parquet", "--method", "knn", "--neighbors", 2).out.splitlines()
    assert said == [
        "c.parquet: written",
        "neighborhoods of cosine similarity 0.981 or more among 4 fitted rows (5 in all): largest 3, median 3, "
        "smallest 1",
        "neighborhoods overlap; clusters that don't, with each row in one of its neighborhood's size, would be 2, of "
        "Gini 0.250 (0: all of one size)",
    ]
    found = pq.read_table("c.parquet").to_pydict()
    assert found["cluster"] == [0, 1, 2, 3, 4]
    assert found["cluster_size"] == [3, 3, 3, 1, 0]
    assert found["similarity"] == [None] * 5
    shifts("c.parquet", "s.parquet", minimum=0.1, maximum=0.2)
    assert pq.read_table("s.parquet").column("shift").to_pylist() == pytest.approx([0.2, 0.2, 0.2, 0.1, 0.1])


def test_media_count_with_their_samples(tmp_path, write_artifact) -> None:
    features = {"media_id": ["m", "n", "o"], "embedding": [[1.0, 0.0], [1.0, 0.01], [0.0, 1.0]]}
    table = {"sample_id": list("abcdef"), "text": list("abcdef"), "media_id": list("mmmnoo")}
    write_artifact(tmp_path / "f.parquet", features)
    write_artifact(tmp_path / "a.parquet", table)
    options = {"method": "knn", "neighbors": 1, "by": "media", "annotations": tmp_path / "a.parquet"}
    cluster(tmp_path / "f.parquet", tmp_path / "c.parquet", **options)
    assert pq.read_table(tmp_path / "c.parquet").column("cluster_size").to_pylist() == [4, 4, 4, 4, 2, 2]
