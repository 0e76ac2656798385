"""``cluster``: files in, files out."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.annotations import prepare_table
from pipelines.artifacts import CLUSTERS, read_table
from pipelines.cluster import cluster
from pipelines.errors import InputError


@pytest.fixture
def embeddings(tmp_path, write_artifact):
    """Thirty rows around three directions: ten of each, of which six, four, and two, are train."""
    rng = np.random.default_rng(0)
    matrix_nd = np.repeat(np.eye(3), 10, axis=0) + 0.05 * rng.standard_normal((30, 3))
    split = [name for train in (6, 4, 2) for name in ["train"] * train + ["test"] * (10 - train)]

    def write(name="e.parquet", **columns):
        table = {"sample_id": [f"s{row}" for row in range(30)], "embedding": list(matrix_nd), "split": split}
        table = {key: value for key, value in {**table, **columns}.items() if value is not None}
        return write_artifact(tmp_path / name, table)

    return write


def columns(path) -> dict[str, list]:
    return pq.read_table(path).to_pydict()


def test_it_fits_on_train_and_counts_train(embeddings, tmp_path) -> None:
    result = cluster(embeddings(), tmp_path / "c.parquet", k=3, seed=0)
    assert read_table(result.output, CLUSTERS).num_rows == 30
    assert columns(result.output)["cluster_size"] == [6] * 10 + [4] * 10 + [2] * 10
    summary = result.summary
    assert (summary["rows"], summary["fitted_rows"], summary["clusters"]) == (30, 12, 3)
    assert (summary["largest"], summary["smallest"]) == (6, 2)


@pytest.mark.parametrize(("fit_split", "sizes"), [("test", [4, 6, 8]), (None, [10, 10, 10])])
def test_it_fits_on_another_split_or_on_all(embeddings, tmp_path, fit_split, sizes) -> None:
    source = embeddings() if fit_split else embeddings(split=["one", "two"] * 15)
    cluster(source, tmp_path / "c.parquet", k=3, seed=0, fit_split=fit_split)
    assert columns(tmp_path / "c.parquet")["cluster_size"][::10] == sizes


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["a", "b", "c"] * 10, "no rows of split 'train'; splits there: a, b, c"),
        (None, "has no column 'split', so --fit-split train can't be taken"),
    ],
)
def test_a_split_that_is_not_there_is_refused(embeddings, tmp_path, split, message) -> None:
    with pytest.raises(InputError, match=message):
        cluster(embeddings(split=split), tmp_path / "c.parquet", k=3, fit_split="train")


def test_the_same_seed_makes_the_same_bytes(embeddings, tmp_path) -> None:
    source = embeddings()
    first, second, other = (tmp_path / f"{name}.parquet" for name in "abc")
    cluster(source, first, k=5, seed=3)
    cluster(source, second, k=5, seed=3)
    cluster(source, other, k=5, seed=4)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("change", [{"k": 4}, {"seed": 1}, {"niter": 3}, {"spherical": False}, {"fit_split": "train"}])
def test_any_changed_option_is_work(embeddings, tmp_path, change) -> None:
    source = embeddings()
    cluster(source, tmp_path / "c.parquet", k=3)
    assert cluster(source, tmp_path / "c.parquet", k=3).up_to_date
    assert not cluster(source, tmp_path / "c.parquet", **{"k": 3, **change}).up_to_date


def test_an_option_of_another_method_is_no_work(embeddings, tmp_path) -> None:
    source = embeddings()
    cluster(source, tmp_path / "c.parquet", k=3)
    assert cluster(source, tmp_path / "c.parquet", k=3, umap_dims=2, noise="own").up_to_date


@pytest.fixture
def annotations(tmp_path, write_artifact):
    table = {
        "sample_id": list("abcdef"),
        "text": list("uvwxyz"),
        "split": ["train", "train", "train", "train", "test", "test"],
        "verb": ["cut", "cut", "wash", "cut", "cut", "peel"],
        "noun_class": [5, 2, 2, 5, 5, 9],
    }
    return write_artifact(tmp_path / "a.parquet", table)


def test_a_class_training_never_saw_has_size_0(annotations, tmp_path) -> None:
    result = cluster(annotations, tmp_path / "c.parquet", method="class", columns=["noun_class"])
    found = columns(result.output)
    assert found["cluster"] == [5, 2, 2, 5, 5, 9]
    assert found["cluster_size"] == [2, 2, 2, 2, 2, 0]
    assert found["similarity"] == [None] * 6
    assert result.summary["clusters"] == 2


def test_class_pairs(annotations, tmp_path) -> None:
    cluster(annotations, tmp_path / "c.parquet", method="class", columns=["verb", "noun_class"])
    assert columns(tmp_path / "c.parquet")["cluster_size"] == [2, 1, 1, 2, 2, 0]


def test_hdbscan_counts_noise(embeddings, tmp_path) -> None:
    matrix_nd = np.repeat(np.eye(3), 10, axis=0) + 0.02 * np.random.default_rng(0).standard_normal((30, 3))
    matrix_nd[29] = [-1, -1, -1]
    source = embeddings(embedding=list(matrix_nd), split=None)
    summary = cluster(source, tmp_path / "c.parquet", method="hdbscan", umap_dims=0, min_cluster_size=4).summary
    found = columns(tmp_path / "c.parquet")
    assert found["cluster"][29] == -1
    assert summary["noise_rows"] == found["cluster"].count(-1)
    assert summary["clusters"] == len(set(found["cluster"]) - {-1}) == 3
    assert found["cluster_size"][0] == found["cluster"].count(found["cluster"][0])


@pytest.mark.slow
def test_hdbscan_after_umap(tmp_path, write_artifact) -> None:
    """The one test that compiles UMAP."""
    rng = np.random.default_rng(0)
    matrix_nd = np.repeat(np.eye(2, 5), 15, axis=0) + 0.1 * rng.standard_normal((30, 5))
    table = {"sample_id": [str(row) for row in range(30)], "embedding": list(matrix_nd)}
    source = write_artifact(tmp_path / "e.parquet", table)
    options = {"method": "hdbscan", "umap_dims": 2, "umap_neighbors": 5, "min_cluster_size": 5, "noise": "nearest"}
    cluster(source, tmp_path / "c.parquet", **options)
    found = columns(tmp_path / "c.parquet")["cluster"]
    assert -1 not in found
    assert not set(found[:15]) & set(found[15:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "kmean"}, "--method kmean: expected one of kmeans, hdbscan, class; did you mean 'kmeans'"),
        ({}, "--method kmeans needs --k"),
        ({"k": 3, "niter": 0}, "--niter 0: expected at least 1"),
        ({"k": 3, "seed": -1}, "--seed -1: expected 0 to 2147483647"),
        ({"k": 3, "seed": 2**31}, "--seed 2147483648: expected 0 to 2147483647"),
        ({"k": 3, "max_points_per_centroid": 0}, "--max-points-per-centroid 0: expected at least 1"),
        ({"method": "class"}, "--method class needs --column"),
        ({"method": "class", "columns": ["spilt"]}, "no column 'spilt' as annotations have; did you mean 'split'"),
    ],
)
def test_options_out_of_range_are_refused(embeddings, tmp_path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        cluster(embeddings(), tmp_path / "c.parquet", **options)
    assert not (tmp_path / "c.parquet").exists()


def test_noun_classes_of_ek100(data_dir, tmp_path) -> None:
    source = data_dir / "ek100" / "EPIC_100_train_classes.csv"
    annotations = tmp_path / "a.parquet"
    prepared = prepare_table(
        source, annotations, text_column="noun_class", id_column="narration_id", class_columns=["noun_class"]
    )
    result = cluster(annotations, tmp_path / "c.parquet", method="class", columns=["noun_class"])
    assert prepared.summary["rows"] == result.summary["rows"] == 67_217
    assert (result.summary["clusters"], result.summary["largest"]) == (289, 3_617)
    assert pq.read_schema(annotations).field("noun_class").type == pa.int64()
