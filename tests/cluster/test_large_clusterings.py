"""Clustering what is too large for memory."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import matrix, vectors
from pipelines.artifacts.needs import extent_of
from pipelines.cluster import cluster, geometry, subject
from pipelines.cluster.methods import METHODS
from pipelines.cluster.methods import kmeans as method
from pipelines.cluster.methods.kmeans import kmeans
from pipelines.cluster.methods.knn import knn
from pipelines.cluster.subject import subject_of

ROWS, MEDIA = 300, 120
SPLIT = ["train" if row % 3 else "test" for row in range(ROWS)]


def groups(count: int, dimension: int, seed: int) -> np.ndarray:
    """Rows around nine directions, some of them repeated."""
    rng = np.random.default_rng(seed)
    rows_nd = rng.standard_normal((9, dimension))[rng.integers(9, size=count)]
    rows_nd = rows_nd + 0.3 * rng.standard_normal((count, dimension))
    rows_nd[::25] = rows_nd[1]
    return rows_nd.astype(np.float16)


@pytest.fixture
def files(tmp_path, write_artifact):
    ids = [f"s{row}" for row in range(ROWS)]
    shared = {"media_id": [f"m{row * 7 % MEDIA}" for row in range(ROWS)], "split": SPLIT}
    write_artifact(tmp_path / "a.parquet", {"sample_id": ids, "text": ids, **shared})
    write_artifact(tmp_path / "e.parquet", {"sample_id": ids, "embedding": list(groups(ROWS, 6, 0)), "split": SPLIT})
    media = {"media_id": [f"m{row}" for row in range(MEDIA)], "embedding": list(groups(MEDIA, 4, 1))}
    write_artifact(tmp_path / "f.parquet", media)
    return tmp_path


@pytest.mark.parametrize("by", ["text", "media", "joint"])
@pytest.mark.parametrize("options", [{"k": 5}, {"method": "knn", "neighbors": 4}], ids=["kmeans", "knn"])
def test_vectors_on_the_disk_give_the_same_file(files, monkeypatch, by, options) -> None:
    monkeypatch.chdir(files)
    if by != "text":
        options = {**options, "by": by, "annotations": "a.parquet"}
    if by == "joint":
        options |= {"media": "f.parquet"}
    source = "f.parquet" if by == "media" else "e.parquet"
    cluster(source, "in-memory.parquet", **options)
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(vectors, "_BLOCK_ROWS", 40)
    made = []
    monkeypatch.setattr(matrix.MappedMatrix, "__array__", lambda *_: pytest.fail("all of it was read at once"))
    create = matrix.MappedMatrix.__init__
    monkeypatch.setattr(
        matrix.MappedMatrix, "__init__", lambda self, *args: (made.append(args), create(self, *args))[1]
    )
    cluster(source, "on-disk.parquet", **options)
    assert len(made) == {"text": 1, "media": 1, "joint": 3}[by]
    assert (files / "on-disk.parquet").read_bytes() == (files / "in-memory.parquet").read_bytes()


def test_many_rows_are_fitted_by_a_sample(monkeypatch) -> None:
    rows_nd, count_n = np.random.default_rng(0).standard_normal((ROWS, 6), np.float32), np.array([1, 0, 2] * 100)
    monkeypatch.setattr(geometry, "FIT_BYTES", 50 * 4 * 6)
    fitted = []
    monkeypatch.setattr(method, "_require_distinct", lambda training_md, *_: fitted.append(training_md.copy()))
    found, again = (kmeans(rows_nd, count_n, k=9, spherical=False) for _ in range(2))
    assert found.figures == {"sampled_rows": 50}
    numbers = [np.flatnonzero((rows_nd == row).all(axis=1)).item() for row in fitted[0]]
    assert len(set(numbers)) == 50
    assert (count_n[numbers] > 0).all()
    assert found.cluster_n.shape == (ROWS,)
    assert found.cluster_n.tolist() == again.cluster_n.tolist()


def test_neighbors_counted_in_a_sample_are_scaled_to_all(monkeypatch) -> None:
    rows_nd, count_n = groups(3_000, 6, 0).astype(np.float32), np.array([1, 0, 1] * 1_000)
    whole = knn(rows_nd, count_n, neighbors=30)
    monkeypatch.setattr(geometry, "FIT_BYTES", 800 * 4 * 6)
    sampled = knn(rows_nd, count_n, neighbors=30)
    assert sampled.figures["least_similarity"] == pytest.approx(whole.figures["least_similarity"], abs=1e-6)
    assert sampled.figures["sampled_rows"] == 800
    assert sampled.size_n[count_n > 0].min() == 1  # itself
    assert sampled.size_n.mean() == pytest.approx(whole.size_n.mean(), rel=0.05)
    assert np.corrcoef(sampled.size_n, whole.size_n)[0, 1] > 0.95


def test_the_command_says_that_it_took_a_sample(files, mmts, monkeypatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setattr(geometry, "FIT_BYTES", 50 * 4 * 6)
    said = mmts("cluster", "e.parquet", "-o", "c.parquet", "--k", 5).out.splitlines()
    assert "by a random sample of 50 of the fitted rows: all of them would not fit in memory" in said
    sizes = dict(
        zip(*(pq.read_table("c.parquet").column(name).to_pylist() for name in ("cluster", "cluster_size")), strict=True)
    )
    assert sum(sizes.values()) == 200  # every training sample counts


def test_hdbscan_holds_all_vectors_in_memory_and_says_so(files, monkeypatch) -> None:
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(matrix, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(matrix, "MappedMatrix", lambda *_: pytest.fail("vectors were written to the disk"))
    what = {"by": "joint", "annotations": files / "a.parquet", "media": files / "f.parquet"}
    subject = subject_of(METHODS["hdbscan"], files / "e.parquet", what)
    assert isinstance(subject.read({}, files).content, np.ndarray)
    without = replace(subject, method=replace(subject.method, is_bounded=True, fitted_copies=0))
    read, joint = 4 * (ROWS * 6 + MEDIA * 4), 4 * ROWS * 10
    assert subject.needs({}).memory - without.needs({}).memory == read + 4 * joint
    assert (subject.needs({}).disk, without.needs({}).disk > 0) == (0, True)


@pytest.mark.parametrize("by", ["text", "media"])
def test_texts_of_labels_are_needed_six_times(files, monkeypatch, by) -> None:
    subject_of_files = subject_of(
        METHODS["kmeans"], files / "e.parquet", {"by": by, "annotations": files / "a.parquet"}
    )
    needed = subject_of_files.needs({"k": 5}).memory
    monkeypatch.setattr(subject, "_PER_TEXT_BYTE", 0)
    assert needed - subject_of_files.needs({"k": 5}).memory == 6 * extent_of(files / "a.parquet").text_bytes
