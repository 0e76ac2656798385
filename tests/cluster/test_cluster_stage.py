"""``cluster``: files in, files out."""

import dataclasses
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.annotations import prepare_table
from pipelines.artifacts import CLUSTERS, read_provenance, read_table
from pipelines.cluster import cluster
from pipelines.cluster.methods import METHODS
from pipelines.errors import InputError
from pipelines.shifts import shifts


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


@pytest.mark.parametrize("fit_split", ["test", "Test"])
def test_it_fits_on_another_split(embeddings, tmp_path, fit_split) -> None:
    cluster(embeddings(), tmp_path / "c.parquet", k=3, seed=0, fit_split=fit_split)
    assert columns(tmp_path / "c.parquet")["cluster_size"][::10] == [4, 6, 8]


def test_it_fits_on_train_however_it_is_spelled(embeddings, tmp_path) -> None:
    spelled = ["Training" if row % 10 < 3 else "dev" for row in range(30)]
    with pytest.warns(UserWarning, match="'Training' as train"):
        cluster(embeddings(split=spelled), tmp_path / "c.parquet", k=3, seed=0)
    assert columns(tmp_path / "c.parquet")["cluster_size"] == [3] * 30


@pytest.mark.parametrize("method", [{"k": 3, "seed": 0}, {"method": "class", "columns": ["noun"]}])
def test_without_train_rows_it_says_that_it_fits_on_all(embeddings, tmp_path, method) -> None:
    nouns = [row // 10 for row in range(30)]
    with pytest.warns(UserWarning, match="no rows of split 'train' .*one, two.*, so all rows .* with --fit-split"):
        cluster(embeddings(split=["one", "two"] * 15, noun=nouns), tmp_path / "c.parquet", **method)
    assert columns(tmp_path / "c.parquet")["cluster_size"] == [10] * 30


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["a", "b", "c"] * 10, "no rows of split 'train'; splits there: a, b, c"),
        (None, "has no column 'split', so --fit-split train can't be used"),
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


@pytest.mark.parametrize(
    "change", [{"k": 4}, {"seed": 1}, {"niter": 3}, {"levels": 2}, {"spherical": False}, {"fit_split": "train"}]
)
def test_any_changed_option_is_work(embeddings, tmp_path, change) -> None:
    source = embeddings()
    cluster(source, tmp_path / "c.parquet", k=3)
    assert cluster(source, tmp_path / "c.parquet", k=3).up_to_date
    assert not cluster(source, tmp_path / "c.parquet", **{"k": 3, **change}).up_to_date


def test_files_from_before_there_were_levels_stay_up_to_date(embeddings, tmp_path) -> None:
    """The record has what it had, and an option that was added only where it is used."""
    source = embeddings()
    parameters = {"method": "kmeans", "fit_split": None, "k": 3, "niter": 20, "spherical": True}
    parameters["max_points_per_centroid"] = None
    assert read_provenance(cluster(source, tmp_path / "c.parquet", k=3).output).parameters == parameters
    two = cluster(source, tmp_path / "two.parquet", k=3, levels=2)
    assert read_provenance(two.output).parameters == {**parameters, "levels": 2}


@pytest.fixture
def annotations_of(tmp_path, write_artifact):
    """Annotations of the thirty rows, with texts."""

    def write(texts):
        table = {"sample_id": [f"s{row}" for row in range(30)], "text": texts}
        split = [name for train in (6, 4, 2) for name in ["train"] * train + ["test"] * (10 - train)]
        return write_artifact(tmp_path / "texts.parquet", {**table, "split": split})

    return write


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


def test_with_annotations_clusters_are_labelled(embeddings, annotations_of, tmp_path) -> None:
    """The labels are made again by themselves, where they are gone or the texts change."""
    source, output = embeddings(), tmp_path / "c.parquet"
    assert "labels" not in cluster(source, output, k=3).summary
    texts = annotations_of(["red dog"] * 10 + ["dog"] * 10 + ["cat"] * 10)
    result = cluster(source, output, k=3, annotations=texts)
    assert result.up_to_date
    assert result.summary["labels"] == str(tmp_path / "c.labels.parquet")
    labels = pq.read_table(tmp_path / "c.labels.parquet").select(["cluster_size", "words", "texts"]).to_pylist()
    assert labels == [
        {"cluster_size": 6, "words": ["red"], "texts": ["red dog"]},
        {"cluster_size": 4, "words": ["dog"], "texts": ["dog"]},
        {"cluster_size": 2, "words": ["cat"], "texts": ["cat"]},
    ]
    texts = annotations_of(["bird"] * 30)
    assert cluster(source, output, k=3, annotations=texts).up_to_date
    assert columns(tmp_path / "c.labels.parquet")["texts"] == [["bird"]] * 3


def test_classes_are_labelled_by_the_annotations_they_come_from(annotations, tmp_path, write_artifact) -> None:
    cluster(annotations, tmp_path / "c.parquet", method="class", columns=["noun_class"])
    assert columns(tmp_path / "c.labels.parquet")["texts"] == [["v", "w"], ["u", "x"]]
    bare = write_artifact(tmp_path / "b.parquet", {"sample_id": ["a"], "noun": ["x"]})
    assert "labels" not in cluster(bare, tmp_path / "d.parquet", method="class", columns=["noun"]).summary


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
    assert found["similarity"][29] is None


def test_noise_is_rare_however_much_there_is(tmp_path, write_artifact) -> None:
    """Two groups and more noise than either: sizes, figures and shifts are those of clusters of one."""
    rng = np.random.default_rng(1)
    centres_kd = 3 * rng.standard_normal((2, 16))
    groups_nd = np.repeat(centres_kd, (20, 15), axis=0) + 0.05 * rng.standard_normal((35, 16))
    matrix_nd = np.concatenate([groups_nd, rng.standard_normal((60, 16))])
    table = {"sample_id": [str(row) for row in range(95)], "embedding": list(matrix_nd)}
    source = write_artifact(tmp_path / "e.parquet", table)
    options = {"method": "hdbscan", "umap_dims": 0, "min_cluster_size": 8}
    summary = cluster(source, tmp_path / "c.parquet", **options).summary
    own = cluster(source, tmp_path / "own.parquet", **options, noise="own").summary
    shifts(tmp_path / "c.parquet", tmp_path / "s.parquet", minimum=0.1, maximum=0.8)
    found, shift = columns(tmp_path / "c.parquet"), columns(tmp_path / "s.parquet")["shift"]
    noise = found["cluster"].count(-1)
    largest = max(found["cluster"].count(each) for each in set(found["cluster"]) - {-1})
    assert noise > largest
    assert found["cluster_size"] == columns(tmp_path / "own.parquet")["cluster_size"]
    for label, size, moved in zip(found["cluster"], found["cluster_size"], shift, strict=True):
        assert size == (1 if label == -1 else found["cluster"].count(label))
        assert moved == pytest.approx(0.1 + 0.7 * (size - 1) / (largest - 1))
    assert summary["largest"] == largest
    noise_of = {"clusters": own["clusters"] - noise, "noise_rows": noise, "fitted_noise_rows": noise}
    assert summary == {**own, **noise_of}


@pytest.mark.parametrize(
    ("method", "options"), [("hdbscan", {"umap_dims": 0, "min_cluster_size": 3}), ("knn", {"neighbors": 3})]
)
def test_what_an_earlier_mmts_counted_in_another_way_is_made_again(
    embeddings, tmp_path, monkeypatch, method, options
) -> None:
    source, output = embeddings(), tmp_path / "c.parquet"
    options, now = {"method": method, **options}, METHODS[method]
    monkeypatch.setitem(METHODS, method, dataclasses.replace(now, results=1))
    cluster(source, output, **options)
    assert cluster(source, output, **options).up_to_date
    monkeypatch.setitem(METHODS, method, now)
    assert not cluster(source, output, **options).up_to_date
    assert cluster(source, output, **options).up_to_date


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
        ({"method": "kmean"}, "--method kmean: expected one of class, hdbscan, kmeans, knn; did you mean 'kmeans'"),
        ({}, "--method kmeans needs --k"),
        ({"k": 0}, "--k 0: expected at least 1"),
        ({"k": 3, "niter": 0}, "--niter 0: expected 1 to 10000"),
        ({"k": 3, "seed": -1}, "--seed -1: expected 0 to 2147483647"),
        ({"k": 3, "seed": 2**31}, "--seed 2147483648: expected 0 to 2147483647"),
        ({"k": 3, "levels": 3}, "--levels 3: expected 1 to 2"),
        ({"method": "knn", "neighbors": 0}, "--neighbors 0: expected at least 1"),
        ({"method": "knn", "k": 3}, "--k: is for --method kmeans; leave it out with knn"),
        ({"k": 3, "neighbors": 3}, "--neighbors: is for --method knn; leave it out with kmeans"),
        ({"k": 3, "max_points_per_centroid": 0}, "--max-points-per-centroid 0: expected at least 1"),
        ({"method": "class"}, "--method class needs --column"),
        ({"method": "hdbscan", "noise": "drop"}, "--noise drop: expected one of separate, nearest, own"),
        ({"method": "hdbscan", "min_cluster_size": 1}, "--min-cluster-size 1: expected at least 2"),
        ({"method": "hdbscan", "umap_dims": -1}, "--umap-dims -1: expected at least 0"),
        ({"method": "hdbscan", "umap_neighbors": 1}, "--umap-neighbors 1: expected at least 2"),
        ({"method": "hdbscan", "k": 3}, "--k: is for --method kmeans; leave it out with hdbscan"),
        ({"method": "class", "columns": ["x"], "seed": 0}, "--seed: is for --method hdbscan and kmeans; leave it out"),
        ({"k": 3, "umap_dims": 2}, "--umap-dims: is for --method hdbscan; leave it out with kmeans"),
        ({"k": 3, "columns": ["split"]}, "--column: is for --method class; leave it out with kmeans"),
        ({"method": "hdbscan", "umap_dims": 0, "seed": 1}, "--seed: has no effect with --umap-dims 0"),
        ({"method": "hdbscan", "umap_dims": 0, "umap_neighbors": 5}, "--umap-neighbors: has no effect with"),
        ({"k": 3, "clusters": 3}, "'clusters' is no option of a clustering method"),
        ({"method": "class", "columns": ["spilt"]}, "no column 'spilt' as annotations have; did you mean 'split'"),
    ],
)
def test_options_out_of_range_are_refused(embeddings, tmp_path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        cluster(embeddings(), tmp_path / "c.parquet", **options)
    assert not (tmp_path / "c.parquet").exists()


@pytest.mark.slow
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


def test_kmeans_loads_nothing_of_density_clustering(embeddings, tmp_path) -> None:
    code = (
        "import sys\nfrom pipelines.cluster import cluster\n"
        f"cluster({str(embeddings())!r}, {str(tmp_path / 'c.parquet')!r}, method='kmeans', k=2)\n"
        "print(sorted({'umap', 'hdbscan'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
