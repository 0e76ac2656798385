"""Training on features that are too large for memory."""

import json

import pytest

from pipelines.artifacts import matrix
from pipelines.train import train


def test_vectors_on_the_disk_give_the_same_run(world, monkeypatch) -> None:
    settings = {"temperature": "mmts", "tau": None, "oscillations": 1, "shifts": world.shifts, "epochs": 2}
    train(world.config("in-memory", **settings))
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    made = []
    create = matrix.MappedMatrix.__init__
    monkeypatch.setattr(
        matrix.MappedMatrix, "__init__", lambda self, *args: (made.append(args), create(self, *args))[1]
    )
    monkeypatch.setattr(matrix.MappedMatrix, "__array__", lambda *_: pytest.fail("all of it was read at once"))
    train(world.config("on-disk", **settings))
    folders = [world.folder / name for name in ("in-memory", "on-disk")]
    assert [folder for _, _, folder in made] == [folders[1]] * 2
    weights = [next((folder / "model").glob("*.safetensors")).read_bytes() for folder in folders]
    assert weights[0] == weights[1]
    scores = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    assert scores[0] == scores[1]
    assert {each.name for each in folders[0].iterdir()} == {each.name for each in folders[1].iterdir()}
