"""Workers of a local Ray cluster of two: order, errors, deaths, and the same files as without Ray."""

import contextlib
import os
import time

import numpy as np
import psutil
import pyarrow as pa
import pytest

from pipelines.artifacts import with_vectors
from pipelines.cluster import cluster
from pipelines.embed import embed, embed_media
from pipelines.encoding import Encoding
from pipelines.engines import Engine
from pipelines.errors import InputError
from pipelines.progress import Silent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def two_workers():
    """A cluster that all tests of this file share, as a user of the library may have one."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'mmts[ray]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("ray")


def worker_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended in the meantime
            if process.name().startswith("ray::_Worker"):
                found.append(process)
    return found


class Killing(Silent):
    """A progress bar at which a worker is killed at the second report."""

    def __init__(self) -> None:
        self.reports = 0

    def task(self, label, total, unit):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, count=1, note=""):
        self.reports += 1
        if self.reports == 2:
            max(worker_processes(), key=psutil.Process.create_time).kill()  # others may be ends of another test


def test_results_are_in_order_whoever_is_slow_and_parts_are_not_taken_far_ahead(engine, tmp_path) -> None:
    class Work:
        about = 7

        def __call__(self, part):
            if part > 1:
                (tmp_path / "by the other").touch()
            while part == 0 and not (tmp_path / "by the other").exists():
                time.sleep(0.01)
            return [part] * (part % 3), os.getpid()

    taken = []

    def parts():
        for part in range(40):
            taken.append(part)
            yield part

    with engine.workers(Work) as workers:
        assert workers.about == 7
        results = workers.map(parts())
        first = next(results)
        assert first == []
        assert len(taken) <= 9
        rest = list(results)
    assert [each for each in [first, *rest] if isinstance(each, list)] == [[part] * (part % 3) for part in range(40)]
    assert len({each for each in rest if isinstance(each, int)}) == 2
    assert psutil.wait_procs(worker_processes(), timeout=60)[1] == []


def test_the_parts_of_workers_that_die_are_done_by_others(engine, tmp_path) -> None:
    class Work:
        about = None

        def __call__(self, part):
            if part == 5 and len(list(tmp_path.iterdir())) < 2:
                (tmp_path / str(os.getpid())).touch()
                os._exit(1)
            return [part]

    with engine.workers(Work) as workers:
        assert list(workers.map(range(30))) == list(range(30))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_part_that_kills_every_worker_is_given_up(engine) -> None:
    class Work:
        about = None

        def __call__(self, part):
            return [part] if part else os._exit(1)

    with (
        engine.workers(Work) as workers,
        pytest.raises(InputError, match=r"^--engine ray: 3 workers died one after another, as happens when memory"),
    ):
        list(workers.map(range(4)))


def test_workers_that_die_as_they_start_are_given_up(engine) -> None:
    with (
        pytest.raises(InputError, match=r"^--engine ray: 3 workers died one after another"),
        engine.workers(lambda: os._exit(1)),
    ):
        pass


def test_errors_of_the_work_are_told_as_here_the_first_part_first(engine) -> None:
    class Work:
        about = None

        def __call__(self, part):
            if part:
                time.sleep(0.3 if part == 1 else 0)
                raise InputError(f"part {part}\nis wrong")
            return [part]

    with engine.workers(Work) as workers:
        results = workers.map(range(4))
        assert next(results) == 0
        with pytest.raises(InputError, match=r"^part 1 is wrong$"):
            next(results)


def test_what_cannot_be_loaded_is_told_as_here(engine) -> None:
    def load():
        raise InputError("--model m: no such folder")

    with pytest.raises(InputError, match=r"^--model m: no such folder$"), engine.workers(load):
        pass


def test_a_device_that_the_cluster_lacks_is_refused(engine) -> None:
    with (
        pytest.raises(InputError, match=r"^--device cuda: there is no GPU in the Ray cluster; leave it out$"),
        engine.workers(dict, device="cuda"),
    ):
        pass


def test_a_device_that_the_cluster_lacks_is_refused_before_anything_is_read(
    engine, tmp_path, write_artifact, monkeypatch
) -> None:
    monkeypatch.setattr(
        "pipelines.cluster.stage.read_fitted", lambda *_: pytest.fail("read before the GPU is asked for")
    )
    table = with_vectors(pa.table({"sample_id": ["a", "b"]}), np.eye(2, dtype=np.float32), "x")
    embeddings = write_artifact(tmp_path / "e.parquet", table)
    with pytest.raises(InputError, match=r"^--device cuda: there is no GPU in the Ray cluster; leave it out$"):
        cluster(embeddings, tmp_path / "c.parquet", engine=engine, device="cuda", k=2)


def test_other_versions_on_the_cluster_are_refused(engine, monkeypatch) -> None:
    class Work:
        about = None

    monkeypatch.setattr("pipelines.engines.ray_workers.library_versions", lambda names: {"torch": "1.0"})
    with (
        pytest.raises(InputError, match=r"a machine of the cluster has torch 2\.\S+, this one 1\.0; install the same"),
        engine.workers(Work, libraries=("torch",)),
    ):
        pass


def test_texts_have_the_bytes_of_the_local_engine_though_a_worker_is_killed(
    engine, tmp_path, write_artifact, monkeypatch
) -> None:
    from tiny_models import write_clip  # unlike a sentence-transformers model it loads in a second

    monkeypatch.setattr("pipelines.embed.stage.WINDOW_ROWS", 150)
    texts = [f"text number {row % 350} {'of many words ' * (row % 9)}" for row in range(400)]
    annotations = write_artifact(
        tmp_path / "a.parquet", {"sample_id": [f"s{row}" for row in range(400)], "text": texts}
    )
    options = {"model": str(write_clip(tmp_path / "model")), "batch_size": 2, "device": "cpu"}
    local = embed(annotations, tmp_path / "local.parquet", **options)
    progress = Killing()
    result = embed(annotations, tmp_path / "ray.parquet", engine=engine, progress=progress, **options)
    assert progress.reports > 10
    assert result.summary == local.summary
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
    assert not (tmp_path / "ray.parquet.parts").exists()


def test_clips_have_the_bytes_of_the_local_engine(engine, tmp_path, write_artifact, tiny, film) -> None:
    clips = [film(tmp_path / "clips" / f"{row}.mp4", frames=5 + row).read_bytes() for row in range(2)]
    names = [f"m{row:02}.mp4" for row in range(20)]
    for row, name in enumerate(names):
        (tmp_path / "clips" / name).write_bytes(b"damaged" if row == 17 else clips[row % 2])
    columns = {"sample_id": names, "text": names, "media_id": names, "split": ["train"] * 20}
    options = {
        "annotations": write_artifact(tmp_path / "a.parquet", columns),
        "media": tmp_path / "clips",
        "model": str(tiny("vit")),
        "frames": 2,
        "encoding": Encoding("cpu", batch_size=1, max_bad=1),
    }
    results = []
    for name, each in (("local", Engine()), ("ray", engine)):
        with pytest.warns(UserWarning, match=r"m17\.mp4 can't be decoded .*; left out"):
            results.append(embed_media(output=tmp_path / f"{name}.parquet", engine=each, **options))
    assert results[0].summary == results[1].summary
    assert list(results[1].summary["bad_media"]) == ["m17.mp4"]
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()


@pytest.mark.parametrize("options", [{"method": "kmeans", "k": 9}, {"method": "knn", "neighbors": 10}])
def test_clusters_have_the_bytes_of_the_local_engine(engine, tmp_path, write_artifact, monkeypatch, options) -> None:
    monkeypatch.setattr("pipelines.cluster.products._WORKER_ROWS", 20)
    vectors_nd = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    table = with_vectors(pa.table({"sample_id": [f"s{row}" for row in range(200)]}), vectors_nd, "x")
    embeddings = write_artifact(tmp_path / "e.parquet", table)
    for name, each in (("local", Engine()), ("ray", engine)):
        cluster(embeddings, tmp_path / f"{name}.parquet", engine=each, **options)
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()


def test_classes_have_the_bytes_of_the_local_engine(engine, tmp_path, write_artifact, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.cluster.methods.classes._PART_ROWS", 20)
    rows = range(200)
    columns = {
        "sample_id": [f"s{row}" for row in rows],
        "text": ["x" for row in rows],
        "media_id": ["m" for row in rows],
        "verb": [f"verb {row % 7}" for row in rows],
        "noun": [row // 50 for row in rows],
    }
    annotations = write_artifact(tmp_path / "a.parquet", columns)
    for name, each in (("local", Engine()), ("ray", engine)):
        done = cluster(annotations, tmp_path / f"{name}.parquet", method="class", columns=["verb", "noun"], engine=each)
        assert done.summary["clusters"] == 28
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
