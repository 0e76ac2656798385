"""What a stage says it needs, before it starts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
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


def test_the_footer_says_how_much_text_there_is(tmp_path, write_artifact) -> None:
    texts = [f"{row:03d}" * 1_000 for row in range(30)]
    extent = extent_of(write_artifact(tmp_path / "a.parquet", {"sample_id": list(map(str, range(30))), "text": texts}))
    assert 90_000 <= extent.text_bytes <= 100_000


def test_what_is_no_vector_is_left_to_the_reader(tmp_path, write_artifact) -> None:
    extent = extent_of(write_artifact(tmp_path / "e.parquet", {"sample_id": ["a"], "embedding": [1.0]}))
    assert (extent.rows, extent.itemsize) == (1, 4)
    assert extent_of(write_artifact(tmp_path / "c.parquet", {"sample_id": ["a"]})).dimension == 0


def test_small_vectors_are_in_memory_and_large_ones_on_the_disk() -> None:
    small, large = Extent(1_000, 384, 2, 0), Extent(10_000_000, 384, 2, 0)
    assert (small.memory, small.disk) == (4 * 384_000, 0)
    assert (large.memory, large.disk) == (matrix.RESIDENT_BYTES, 2 * 3_840_000_000)


def test_memory_shared_with_processes_that_decode_is_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(needs, "_SHARED_MEMORY", tmp_path)
    each = f"needs about 3.0 GiB of memory (1.2 GiB of it in {tmp_path}) in each of 4 processes"
    assert told(monkeypatch, memory=3 * GIB, shared=1.2 * GIB, processes=4) == [each]
    lines = told(monkeypatch, free=4 * GIB, memory=3 * GIB, shared=1.2 * GIB, processes=4)
    assert lines[0] == each
    assert lines[1].startswith(
        f"{tmp_path} has 4,096 MiB of the 4,915 MiB that decoded media need; give a container more"
    )
    monkeypatch.setattr(needs, "_SHARED_MEMORY", tmp_path / "none")
    assert len(told(monkeypatch, free=4 * GIB, memory=3 * GIB, shared=1.2 * GIB, processes=4)) == 1


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


def test_more_memory_than_the_machine_has_is_told_with_what_takes_less(monkeypatch) -> None:
    monkeypatch.setattr(needs, "_MEMORY", 24 * GIB)
    assert told(monkeypatch, memory=24 * GIB) == ["needs about 24.0 GiB of memory"]
    said = "needs about 30.0 GiB of memory; this machine has 24.0 GiB"
    assert told(monkeypatch, memory=30 * GIB) == [said]
    assert told(monkeypatch, memory=30 * GIB, advice="less takes less") == [f"{said}, less takes less"]


def test_several_processes_need_that_of_each() -> None:
    assert Need(2.5, 7, "advice").of(3) == Need(7.5, 21, "advice")


def test_a_disk_without_room_is_refused(monkeypatch) -> None:
    message = (
        r"^out: 7\.2 GiB of disk are needed there, and 3\.0 GiB are free; make room, or choose another output path$"
    )
    with pytest.raises(InputError, match=message):
        told(monkeypatch, free=3 * GIB, memory=0, disk=int(7.2 * GIB))


def test_stages_say_it_before_they_start(tmp_path, write_artifact, mmts, monkeypatch, fake_encoder) -> None:
    monkeypatch.chdir(tmp_path)
    write_artifact(tmp_path / "e.parquet", {"sample_id": list("abcd"), "embedding": [[1.0, 0]] * 3 + [[0, 1.0]]})
    write_artifact(tmp_path / "a.parquet", {"sample_id": ["a"], "text": ["a text"]})
    written = ("embed a.parquet -o v.parquet", "cluster e.parquet -o c.parquet --k 2")
    lines = [*written, "shifts c.parquet -o s.parquet --min 0.1 --max 0.2", "inspect e.parquet"]
    assert [mmts(*line.split()).err for line in lines] == [""] * 4
    monkeypatch.setattr(needs, "_WORTH_SAYING", 0)
    said = [mmts(*line.split(), *(["--force"] if "-o" in line else [])).err for line in lines]
    sizes = (
        "0.6 GiB of memory and 0.0 GiB of disk in .",
        "0.3 GiB of memory",
        "0.4 GiB of memory",
        "0.4 GiB of memory",
    )
    assert said == [f"needs about {size}\n" for size in sizes]


SAYING_IT = """
import re
import sys
from pathlib import Path
from mmts_cli.app import app
from mmts_cli.command import run_app
from pipelines.artifacts import needs
needs._WORTH_SAYING = 0
code = run_app(app, sys.argv[1:])
print(re.search("VmHWM.*", Path("/proc/self/status").read_text())[0], file=sys.stderr)  # of this program alone
sys.exit(code)
"""
LINES = {
    "cluster": "cluster e.parquet -o c.parquet --k 5 --niter 3",
    "shifts": "shifts e.parquet -o s.parquet --min 0.1 --max 0.2",
    "inspect": "inspect e.parquet",
    "eval": "eval -o scores --media f.parquet --text e.parquet --annotations a.parquet --resamples 0",
}


@pytest.fixture(scope="module")
def large(tmp_path_factory, write_artifact):
    """150,000 rows, of which 100 are scored."""
    folder, rows = tmp_path_factory.mktemp("large"), 150_000
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.random.default_rng(0).random(rows * 64, np.float32)), 64)
    ids = pa.array([f"sample {row:06d}" for row in range(rows)])
    clusters = {"cluster": pa.array(np.arange(rows) % 9, pa.int32()), "cluster_size": np.arange(rows) % 9 + 1}
    pq.write_table(pa.table({"sample_id": ids, "embedding": vectors, **clusters}), folder / "e.parquet")
    scored = {"sample_id": ids[:100], "media_id": ids[:100], "text": ids[:100]}
    write_artifact(folder / "a.parquet", scored)
    write_artifact(folder / "f.parquet", {"media_id": ids[:100], "embedding": vectors[:100]})
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what a process held")
@pytest.mark.parametrize("stage", LINES)
def test_what_is_said_is_what_is_held(large, stage) -> None:
    command = [sys.executable, "-W", "ignore", "-c", SAYING_IT, *LINES[stage].split()]
    said = subprocess.run(command, cwd=large, capture_output=True, text=True, check=True).stderr
    peak = int(re.search(r"VmHWM:\s*(\d+) kB", said)[1]) * 2**10 / GIB
    needed = float(re.search(r"needs about ([0-9.]+) GiB", said)[1])
    assert 0.5 * needed <= peak <= 1.2 * needed
