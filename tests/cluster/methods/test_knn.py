"""Density from nearest neighbors, against explicit loops and scikit-learn."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.neighbors import NearestNeighbors

from pipelines.artifacts import gini
from pipelines.cluster import cluster, neighborhoods
from pipelines.cluster.clustering import describe_overlapping
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


def test_past_a_size_an_index_finds_nearly_all_of_them(monkeypatch) -> None:
    matrix_nd = rows(3_000, 16)
    count_n = np.random.default_rng(1).choice([0, 1, 2], 3_000)
    exact = knn(matrix_nd, count_n, neighbors=20)
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", 1_000)
    first, again = (knn(matrix_nd, count_n, neighbors=20) for _ in range(2))
    assert first.size_n.tolist() == again.size_n.tolist() != exact.size_n.tolist()
    assert (first.size_n <= exact.size_n).all()
    assert first.figures["least_similarity"] == exact.figures["least_similarity"]
    recall = first.size_n.sum() / exact.size_n.sum()
    assert neighborhoods.LEAST_RECALL <= first.figures["recall"] < 1
    assert first.figures["recall"] == pytest.approx(recall, abs=0.02)  # of all rows, by a sample of a third


def test_a_recall_that_only_all_cells_give_is_exact(monkeypatch) -> None:
    matrix_nd = rows(1_200, 16)
    exact = knn(matrix_nd, np.ones(1_200, bool), neighbors=20)
    monkeypatch.setattr(neighborhoods, "EXACT_ROWS", 1_000)
    monkeypatch.setattr(neighborhoods, "LEAST_RECALL", 2)
    indexed = knn(matrix_nd, np.ones(1_200, bool), neighbors=20)
    assert (indexed.size_n.tolist(), indexed.figures["recall"]) == (exact.size_n.tolist(), 1)


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
