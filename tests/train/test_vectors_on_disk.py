"""Training on features that are too large for memory, and beside captions that are."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_world import write_tower_config

from pipelines.artifacts import matrix, read_annotations
from pipelines.artifacts.needs import extent_of
from pipelines.errors import InputError
from pipelines.sweep import runs
from pipelines.train import data, train
from pipelines.train.data import needs_of, read_files


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


@pytest.mark.parametrize(("workers", "ahead"), [(None, 0), (0, 0), (3, 2)])
@pytest.mark.parametrize("frames", [None, 5])
def test_pixels_of_the_batches_that_are_held_are_counted(world, frames, workers, ahead) -> None:
    tower = write_tower_config(world.folder / "tower", "vit")
    settings = {"media": world.images(), "media_model": str(tower), "frames": frames, "batch_size": 6, "devices": 2}
    needed = needs_of(world.config("run", workers=workers, device="cpu", **settings))
    batch = 3 * 3 * 16 * 16 * (frames or 1)  # of a process
    none = needs_of(world.config("run", media=world.images(), media_model=str(world.folder / "no-model")))
    assert needed.memory - none.memory == (2 + ahead) * batch
    assert (needed.shared, needed.processes) == (ahead * batch, 2)


@pytest.mark.parametrize(
    ("settings", "copies"),
    [({}, 0), ({"duplicates": "mask"}, 2.5), ({"text": None, "text_model": "a-model"}, 2.5)],
    ids=["vectors", "duplicates", "tower"],
)
def test_captions_are_held_only_where_they_are_needed_and_then_counted(world, monkeypatch, settings, copies) -> None:
    config = world.config("run", **settings)
    assert ("text" in read_files(config).annotations.column_names) == (copies > 0)
    needed = needs_of(config).memory
    monkeypatch.setattr(data, "_PER_TEXT_BYTE", 0)
    assert needed - needs_of(config).memory == copies * extent_of(world.annotations).text_bytes


def test_annotations_without_captions_are_refused_all_the_same(world) -> None:
    table = pq.read_table(world.annotations).drop_columns("text")
    pq.write_table(table, world.annotations)
    with pytest.raises(InputError, match="no column 'text' as annotations have"):
        read_files(world.config("run"))


def test_a_sweep_reads_captions_for_the_trials_that_need_them(world, monkeypatch) -> None:
    read = []
    monkeypatch.setattr(runs, "read_annotations", lambda path: (read.append(path), read_annotations(path))[1])
    first, masked = world.config("run"), world.config("run", duplicates="mask")
    shared = runs.Data(first)
    assert "text" not in shared.of(first).annotations.column_names
    assert read == []
    assert [shared.of(masked).annotations.column("text").type for _ in range(2)] == [pa.large_string()] * 2
    assert read == [world.annotations]
    assert "text" in runs.Data(masked).of(masked).annotations.column_names
    assert len(read) == 1
