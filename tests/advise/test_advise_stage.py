"""``advise`` and the sweep of clusterings: files in, files out."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from pipelines.advise import Settings, advise, cluster_sweep
from pipelines.artifacts import ADVICE, gini, matrix, needs, read_table
from pipelines.artifacts.matrix import MappedMatrix
from pipelines.cluster import cluster
from pipelines.errors import InputError
from pipelines.progress import Silent

ROWS, TRAIN = 120, 90


@pytest.fixture
def embeddings(tmp_path, write_artifact):
    """Points without clusters, so that seeds disagree; the last 30 are for testing."""
    matrix_nd = np.random.default_rng(0).standard_normal((ROWS, 6))
    split = ["train"] * TRAIN + ["test"] * (ROWS - TRAIN)
    table = {"sample_id": [f"s{row}" for row in range(ROWS)], "embedding": list(matrix_nd), "split": split}
    return write_artifact(tmp_path / "e.parquet", table)


def labels(folder, k: int, seed: int) -> np.ndarray:
    return pq.read_table(folder / f"k{k}-seed{seed}.parquet").column("cluster").to_numpy()[:TRAIN]


def test_figures_of_clusterings_are_scikit_learns(embeddings, tmp_path) -> None:
    """Adjusted Rand index, Gini coefficient and silhouette, on the rows of the training split alone."""
    folder = tmp_path / "sweep"
    found = cluster_sweep(embeddings, folder, settings=Settings((4, 9), seeds=2))
    rows_nd = np.stack(pq.read_table(embeddings).column("embedding").to_pylist())[:TRAIN]
    assert (found["rows"], found["silhouette_sample"], found["k"]) == (TRAIN, TRAIN, [4, 9])
    for figures in found["clusterings"]:
        both = [labels(folder, figures["k"], seed) for seed in (0, 1)]
        index = adjusted_rand_score(*both)
        assert figures["adjusted_rand"] == pytest.approx({"value": index, "low": index, "high": index})
        for name, values in (
            ("gini", [gini(np.bincount(each)[np.bincount(each) > 0]) for each in both]),
            ("silhouette", [silhouette_score(rows_nd, each, metric="cosine") for each in both]),
        ):
            expected = {"value": np.mean(values), "low": min(values), "high": max(values)}
            assert figures[name] == pytest.approx(expected, abs=1e-6), name


def test_silhouettes_of_a_sample_are_of_as_many_rows_always_the_same(embeddings) -> None:
    found = [advise(embeddings, settings=Settings((4,), 2, sample=sample)) for sample in (40, 40, 41)]
    values = [each["clusterings"][0]["silhouette"]["value"] for each in found]
    assert [each["silhouette_sample"] for each in found] == [40, 40, 41]
    assert values[0] == values[1] != values[2]


def test_a_sweep_writes_what_lone_clusterings_write(embeddings, tmp_path) -> None:
    cluster_sweep(embeddings, tmp_path / "sweep", settings=Settings((3, 5), seeds=2))
    names = sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.name[0] != ".")
    assert names == ["advice-k3-5.parquet", *(f"k{k}-seed{seed}.parquet" for k in (3, 5) for seed in (0, 1))]
    for k, seed in ((3, 0), (5, 1)):
        cluster(embeddings, tmp_path / "alone.parquet", k=k, seed=seed)
        kept = tmp_path / "sweep" / f"k{k}-seed{seed}.parquet"
        assert kept.read_bytes() == (tmp_path / "alone.parquet").read_bytes()
        assert cluster(embeddings, kept, k=k, seed=seed).up_to_date


def test_both_give_the_same_advice(embeddings, tmp_path) -> None:
    settings = Settings((3, 5), seeds=4)
    kept = cluster_sweep(embeddings, tmp_path / "sweep", settings=settings)
    alone = advise(embeddings, tmp_path / "a.parquet", settings=settings)
    assert {**kept, "output": None} == {**alone, "output": None}
    tables = [read_table(path, ADVICE) for path in (tmp_path / "sweep" / "advice-k3-5.parquet", tmp_path / "a.parquet")]
    assert tables[0].equals(tables[1])


def test_the_table_has_a_row_for_each_k_and_number_averaged(embeddings, tmp_path) -> None:
    found = advise(embeddings, tmp_path / "a.parquet", settings=Settings((3, 5), seeds=4))
    rows = read_table(tmp_path / "a.parquet", ADVICE).to_pylist()
    assert [(row["k"], row["averaged"], row["pairs"]) for row in rows] == [
        (k, averaged, pairs) for k in (3, 5) for averaged, pairs in ((1, 6), (2, 3), (4, 0), (8, 0))
    ]
    for row, figures in zip(rows, found["shifts"], strict=True):
        assert row["rank_correlation_high"] == figures["rank_correlation"]["high"]
        assert (row["changed_thirds"] is None) == (row["pairs"] == 0)
        assert (row["gini"] is None) == (row["averaged"] > 1)
    assert rows[4]["silhouette_low"] == found["clusterings"][1]["silhouette"]["low"]


def test_it_does_nothing_twice(embeddings, tmp_path) -> None:
    settings, output = Settings((3, 5), seeds=2), tmp_path / "a.parquet"
    told = []
    first = advise(embeddings, output, settings=settings, tell=told.append)
    assert told == ["4 clusterings of 90 samples: k 3, 5, 2 seeds each"]
    again = advise(embeddings, output, settings=settings, tell=told.append)
    assert len(told) == 1
    assert again == {**first, "up_to_date": True}
    for other in (Settings((3,), 2), Settings((3, 5), 3), Settings((3, 5), 2, "rank"), Settings((3, 5), 2, sample=30)):
        assert not advise(embeddings, output, settings=other)["up_to_date"]
    assert not advise(embeddings, output, settings=other, fit_split="test")["up_to_date"]


def test_a_sweep_makes_only_what_is_missing(embeddings, tmp_path) -> None:
    folder, settings = tmp_path / "sweep", Settings((3, 5), seeds=2)
    cluster_sweep(embeddings, folder, settings=settings)
    assert cluster_sweep(embeddings, folder, settings=settings)["up_to_date"]
    (folder / "k5-seed0.parquet").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not cluster_sweep(embeddings, folder, settings=settings)["up_to_date"]
    written = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != before.get(path.name)}
    assert written - {".advice-k3-5.parquet.lock"} == {"k5-seed0.parquet", "advice-k3-5.parquet"}
    assert not cluster_sweep(embeddings, folder, settings=settings, options={"niter": 3})["up_to_date"]


def test_sweeps_over_other_k_share_a_folder(embeddings, tmp_path) -> None:
    folder = tmp_path / "sweep"
    first, many = Settings((5, 3, 3), 2), Settings(tuple(range(2, 13)), 2)
    for settings in (first, Settings((5,), 3), many):
        cluster_sweep(embeddings, folder, settings=settings)
    assert sorted(path.name for path in folder.glob("advice*")) == [
        "advice-k2-to-12.parquet",
        "advice-k3-5.parquet",
        "advice-k5.parquet",
    ]
    assert cluster_sweep(embeddings, folder, settings=first)["up_to_date"]


def test_media_are_clustered_once_and_counted_by_sample(world, tmp_path) -> None:
    folder = tmp_path / "sweep"
    options = {"by": "media", "annotations": world.annotations}
    found = cluster_sweep(world.media, folder, settings=Settings((3,), 2), **options)
    cluster(world.media, tmp_path / "alone.parquet", k=3, seed=1, **options)
    assert (folder / "k3-seed1.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()
    assert found["rows"] == 2 * 48  # two captions of each training medium
    assert advise(world.media, settings=Settings((3,), 2), **options)["shifts"] == found["shifts"]


def test_k_that_are_too_large_are_left_out_unless_asked_for(tmp_path, write_artifact) -> None:
    matrix_nd = np.random.default_rng(0).standard_normal((250, 4))
    table = {"sample_id": [str(row) for row in range(250)], "embedding": list(matrix_nd)}
    source = write_artifact(tmp_path / "e.parquet", table)
    assert advise(source, settings=Settings(seeds=2))["k"] == [50, 100]
    with pytest.raises(InputError, match=r"k 300: .*e\.parquet has only 250 distinct vectors to fit on"):
        cluster_sweep(source, tmp_path / "sweep", settings=Settings((5, 300), 2))
    assert not (tmp_path / "sweep").exists()


def test_classes_of_the_annotations_it_was_made_from_are_known(tmp_path, write_artifact, mmts, fake_encoder) -> None:
    (tmp_path / "c.csv").write_text("text,kind\n" + "".join(f"words {row},{row % 3}\n" for row in range(20)))
    annotations, embeddings = tmp_path / "a.parquet", tmp_path / "e.parquet"
    mmts("prepare", "table", tmp_path / "c.csv", "--text-column", "text", "--class-column", "kind", "-o", annotations)
    mmts("embed", annotations, "-o", embeddings)
    settings = Settings((3,), 2)
    assert advise(embeddings, settings=settings)["classes"] == {"annotations": str(annotations), "columns": ["kind"]}
    write_artifact(annotations, {"sample_id": ["x"], "text": ["y"], "kind": [1]})  # others of the same name
    assert advise(embeddings, settings=settings)["classes"] is None
    annotations.unlink()
    assert advise(embeddings, settings=settings)["classes"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ks": (1, 5)}, "k 1: one cluster has no tail"),
        ({"ks": ()}, "no k to try"),
        ({"seeds": 1}, "--seeds 1: expected 2 to 100"),
        ({"rule": "square"}, "--rule square: expected one of linear, log, rank"),
        ({"sample": 1}, "--sample 1: expected at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(values, message) -> None:
    with pytest.raises(InputError, match=message):
        Settings(**values)


def test_figures_can_be_json(embeddings) -> None:
    """Clusters of one sample each have no silhouette."""
    found = advise(embeddings, settings=Settings((60,), 2, sample=2))
    assert found["clusterings"][0]["silhouette"] is None
    json.dumps(found, allow_nan=False)


def test_with_annotations_the_recommended_clusters_have_labels(embeddings, tmp_path, write_artifact, mmts) -> None:
    """Those of the clustering that ``cluster`` makes with this k and seed 0."""
    texts = {"sample_id": [f"s{row}" for row in range(ROWS)], "text": [f"word{row:03d}" for row in range(ROWS)]}
    annotations = write_artifact(tmp_path / "a.parquet", {**texts, "split": ["train"] * TRAIN + ["test"] * 30})
    settings = Settings((9,), seeds=2)
    assert "labels" not in advise(embeddings, settings=settings)
    found = advise(embeddings, tmp_path / "advice.parquet", settings=settings, annotations=annotations)
    cluster(embeddings, tmp_path / "c.parquet", k=9, annotations=annotations)
    expected = pq.read_table(tmp_path / "c.labels.parquet").to_pylist()
    assert found["labels"] == {"clusters": 9, "largest": expected[:3], "smallest": expected[-3:]}
    line = ("advise", embeddings, "--k", "9", "--seeds", 2, "-o", tmp_path / "advice.parquet")
    shown = mmts(*line, "--annotations", annotations).out
    assert "advice.parquet: up to date" in shown
    assert "one clustering with k 9, seed 0:\n\nthe 3 largest of 9 clusters" in shown
    assert expected[0]["texts"][0] in shown
    write_artifact(annotations, {**texts, "text": ["new"] * ROWS})
    assert not advise(embeddings, tmp_path / "advice.parquet", settings=settings, annotations=annotations)["up_to_date"]


def test_what_is_needed_is_said_and_large_vectors_lie_beside_the_output(embeddings, tmp_path, monkeypatch) -> None:
    folders, said = [], []
    create = MappedMatrix.__init__
    monkeypatch.setattr(MappedMatrix, "__init__", lambda self, *of: (folders.append(of[2].name), create(self, *of))[1])
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(needs, "_WORTH_SAYING", 0)
    progress, settings = Silent(), Settings((3,), seeds=2)
    monkeypatch.setattr(progress, "note", said.append)
    (tmp_path / "advice").mkdir()
    advise(embeddings, settings=settings, progress=progress)
    advise(embeddings, tmp_path / "advice" / "a.parquet", settings=settings, progress=progress)
    cluster_sweep(embeddings, tmp_path / "sweep", settings=settings, progress=progress)
    expected = [embeddings.parent, tmp_path / "advice", tmp_path / "sweep"]
    assert folders == [folder.name for folder in expected]
    assert [line.rpartition(" of disk in ")[2] for line in said] == [str(folder) for folder in expected]
