"""``eval`` on vectors that are too large for memory: scores and rows are the same to the last bit."""

import pyarrow as pa
import pytest

from pipelines.artifacts import Vectors, matrix, read_vectors, vector_type
from pipelines.evaluate import evaluate
from pipelines.train import train


@pytest.fixture
def run(world):
    train(world.config("run"))
    return {"run": world.folder / "run"}


@pytest.fixture
def files(world):
    """Two files of one space."""

    def write(name, key, of):
        columns = {key: list(of), "embedding": pa.array([v[:6].tolist() for v in of.values()], vector_type(6))}
        return world.write(world.folder / name, columns)

    media, text = write("m", "media_id", world.features), write("t", "sample_id", world.texts)
    return {"media": media, "text": text, "annotations": world.annotations}


@pytest.mark.parametrize("sources", ["files", "run"])
@pytest.mark.parametrize("options", [{}, {"folds": 2}, {"gallery": "all"}], ids=["plain", "folds", "distractors"])
def test_scores_are_those_of_vectors_in_memory(world, request, monkeypatch, sources, options) -> None:
    given = {**request.getfixturevalue(sources), **options, "resamples": 10}
    evaluate(world.folder / "memory", **given)
    mapped = []
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    made = matrix.MappedMatrix.__init__
    monkeypatch.setattr(matrix.MappedMatrix, "__init__", lambda *a, **k: mapped.append(a[1]) or made(*a, **k))
    evaluate(world.folder / "disk", **given)
    assert len(mapped) == 2
    for name in ("metrics.json", "ranks.parquet", "misses.parquet"):
        assert (world.folder / "disk" / name).read_bytes() == (world.folder / "memory" / name).read_bytes()


def test_only_what_is_scored_is_kept(world, files, monkeypatch) -> None:
    read: list[Vectors] = []
    monkeypatch.setattr(
        "pipelines.runs.embeddings.read_vectors", lambda *a, **k: read.append(read_vectors(*a, **k)) or read[-1]
    )
    evaluate(world.folder / "s", **files, resamples=0)
    samples = world.samples("test")
    assert [len(each.matrix_nd) for each in read] == [len({world.media_of(each) for each in samples}), len(samples)]
