"""What a stage says it needs, before it starts."""

import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.artifacts import matrix, needs, vector_type
from pipelines.artifacts.needs import Extent, Need, announce, extent_of
from pipelines.errors import InputError

GIB = 2**30


@pytest.mark.parametrize(("kind", "itemsize"), [(vector_type(6, "float16"), 2), (pa.list_(pa.float32()), 4)])
def test_the_footer_says_how_much_there_is(tmp_path, write_artifact, kind, itemsize) -> None:
    vectors = pa.array(np.ones((30, 6), np.float16 if itemsize == 2 else np.float32).tolist(), kind)
    for name, rows in (("a", slice(0, 10)), ("b", slice(10, 30))):
        ids = [f"sample {row:03d}" for row in range(30)][rows]
        write_artifact(tmp_path / "parts" / f"{name}.parquet", {"sample_id": ids, "embedding": vectors[rows]})
    extent = extent_of(tmp_path / "parts")
    assert (extent.rows, extent.dimension, extent.itemsize) == (30, 6, itemsize)
    assert 30 * 10 <= extent.id_bytes <= 30 * 10 + 400  # with lengths, and the headers of pages


def test_what_is_no_vector_is_left_to_the_reader(tmp_path, write_artifact) -> None:
    extent = extent_of(write_artifact(tmp_path / "e.parquet", {"sample_id": ["a"], "embedding": [1.0]}))
    assert (extent.rows, extent.itemsize) == (1, 4)
    assert extent_of(write_artifact(tmp_path / "c.parquet", {"sample_id": ["a"]})).dimension == 0


def test_small_vectors_are_in_memory_and_large_ones_on_the_disk() -> None:
    small, large = Extent(1_000, 384, 2, 0), Extent(10_000_000, 384, 2, 0)
    assert (small.memory, small.disk) == (4 * 384_000, 0)
    assert (large.memory, large.disk) == (matrix.RESIDENT_BYTES, 2 * 3_840_000_000)


def told(monkeypatch, free=100 * GIB, **asked) -> list[str]:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    lines: list[str] = []
    announce(lines.append, Need(**asked), "out")
    return lines


def test_what_is_much_is_said_in_one_line(monkeypatch) -> None:
    assert told(monkeypatch, memory=GIB) == []
    assert told(monkeypatch, memory=1.26 * GIB) == ["needs about 1.3 GiB of memory"]
    said = ["needs about 0.5 GiB of memory and 7.2 GiB of disk in out"]
    assert told(monkeypatch, memory=GIB / 2, disk=int(7.2 * GIB)) == said


def test_a_disk_without_room_is_refused(monkeypatch) -> None:
    message = (
        r"^out: 7\.2 GiB of disk are needed there, and 3\.0 GiB are free; make room, or choose another output path$"
    )
    with pytest.raises(InputError, match=message):
        told(monkeypatch, free=3 * GIB, memory=0, disk=int(7.2 * GIB))


def test_stages_say_it_before_they_start(tmp_path, write_artifact, mmts, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": [[1.0, 0]] * 3 + [[0, 1.0]]})
    lines = ["cluster e.parquet -o c.parquet --k 2", "shifts c.parquet -o s.parquet --min 0.1 --max 0.2"]
    assert [mmts(*line.split()).err for line in lines] == ["", ""]
    monkeypatch.setattr(needs, "_WORTH_SAYING", 0)
    said = [mmts(*line.split(), "--force").err for line in lines]
    assert said == [f"needs about {size} GiB of memory\n" for size in ("0.5", "0.4")]
