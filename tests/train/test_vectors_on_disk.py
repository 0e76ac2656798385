"""Training on features that are too large for memory."""

import json

import pytest

from pipelines.artifacts import matrix
from pipelines.artifacts.needs import extent_of
from pipelines.train import train
from pipelines.train.data import needs_of


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


def test_what_is_needed_counts_copies_and_processes(world, monkeypatch) -> None:
    config = world.config("run", devices=2, nodes=3)
    values = sum(extent.rows * extent.dimension for extent in map(extent_of, (world.media, world.text)))
    small = needs_of(config)
    monkeypatch.setattr(matrix, "IN_MEMORY_BYTES", 0)
    large = needs_of(config)
    assert small.memory - large.memory == 2 * 4 * values  # as the file has them, and in the order of the split
    assert (small.disk, large.disk) == (0, 2 * 3 * 4 * values)
