"""Killed between any two operations on files, a run's folder holds every complete run, and the same command goes on."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.train import train

# What a run does to files goes through these. Those of the libraries that write below Python are not seen, but what
# they write is renamed, or named by `metrics.json`, once it is whole.
OPERATIONS = [(os, name) for name in ("rename", "replace", "unlink", "rmdir", "mkdir")] + [(io, "open")]


class Killed(BaseException):
    """What happens to the process."""


@pytest.fixture
def killed_at(monkeypatch) -> Callable[..., bool]:
    """Run something until its k-th operation on a folder's files, which, like all after it, does not happen."""

    def run(count: int, folder: Path, work: Callable[[], object]) -> bool:
        done = 0

        def counting(original):
            def operation(path, *arguments, **options):
                nonlocal done
                writes = original is not io_open or "r" not in str((*arguments, "r")[0])
                if writes and (isinstance(path, int) or str(path).startswith(str(folder)) or options.get("dir_fd")):
                    if done == count:
                        raise Killed
                    done += 1
                return original(path, *arguments, **options)

            return operation

        io_open = io.open
        with monkeypatch.context() as patch:
            for module, name in OPERATIONS:
                patch.setattr(module, name, counting(getattr(module, name)))
            try:
                work()
            except Killed:
                return True
        return False

    return run


def weights(folder: Path) -> dict[str, bytes]:
    kept = ("metrics.json", "config.json", "steps.parquet", "checkpoints", "model")
    files = [path for name in kept for path in (folder / name, *sorted((folder / name).rglob("*"))) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_fresh_run(world, killed_at) -> None:
    expected = None
    for count in range(1000):
        config = world.config(f"run{count}", epochs=1)
        run = world.folder / f"run{count}"
        killed = killed_at(count, run, lambda config=config: train(config, resume=True))
        train(config, resume=True)
        assert not (run / "previous").exists(), count
        assert not (run / "previous.tmp").exists(), count
        assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.safetensors"], count
        found = {name: content for name, content in weights(run).items() if name != "config.json"}
        expected = expected or found
        assert found == expected, count
        if not killed:
            break
    assert 10 < count < 100


@pytest.mark.slow
@pytest.mark.parametrize("force", [False, True])
def test_a_run_over_a_complete_one(world, killed_at, force) -> None:
    """With ``--force`` also over two: the older goes, the newer stays."""
    first, older = world.config("first", epochs=1), world.config("older", epochs=1, seed=9)
    train(first)
    train(older)
    for count in range(1000):
        run = world.folder / f"run{count}"
        (world.folder / "first").rename(run)
        before = weights(run)
        if force:
            (world.folder / "older").rename(run / "previous")
        config = world.config(run.name, epochs=1, seed=5)
        killed = killed_at(count, run, lambda config=config: train(config, force=force))
        if force and weights(run) == before and (run / "previous").exists():  # it was killed before it moved anything
            with pytest.raises(InputError, match="holds another complete run, and one more in previous/"):
                train(config, resume=True)
            train(config, force=True)
        else:
            train(config, resume=True)
        assert weights(run / "previous") == before, count
        assert weights(run).keys() == before.keys(), count
        assert {path.name for path in run.iterdir()} <= {*(name.split("/")[0] for name in before), "previous"}, count
        (run / "previous").rename(world.folder / "first")
        if force:
            run.rename(world.folder / "older")
        if not killed:
            break
    assert 10 < count < 100
