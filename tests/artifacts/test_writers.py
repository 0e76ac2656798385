"""One process at a time writes an output; what killed ones left goes away."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from pipelines.artifacts.files import replacing, replacing_folder, require_writable
from pipelines.artifacts.writers import one_writer, sole_writer
from pipelines.errors import InputError

CONTEXT = multiprocessing.get_context("fork")


def hold(path: Path, pipe) -> None:
    with sole_writer(path):
        pipe.send("held")
        pipe.recv()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds ``tmp_path / "out"`` until it is sent something."""
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=hold, args=(tmp_path / "out", there))
    process.start()
    assert here.poll(60)
    yield process, here
    if process.is_alive():
        here.send("end")
        process.join(60)


def test_a_second_process_is_refused_at_once_by_the_name_of_the_first(tmp_path, holder) -> None:
    process, pipe = holder
    message = rf"out: is being written by process {process.pid} on .+; wait for it to end, or choose another output"
    with pytest.raises(InputError, match=message), sole_writer(tmp_path / "out"):
        pass
    with pytest.raises(InputError, match=message), replacing(tmp_path / "out"):
        pass
    (tmp_path / "link").symlink_to("out")
    with pytest.raises(InputError, match="is being written"), sole_writer(tmp_path / "link"):
        pass
    with sole_writer(tmp_path / "other"):
        pass
    pipe.send("end")
    process.join(60)
    with sole_writer(tmp_path / "out"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_what_a_killed_process_held_is_taken_over(tmp_path, holder) -> None:
    process, _ = holder
    assert (tmp_path / ".out.lock").exists()
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with sole_writer(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_thread_is_refused_too(tmp_path) -> None:
    refused = []

    def write() -> None:
        with pytest.raises(InputError, match="another thread"), sole_writer(tmp_path / "out"):
            pass
        refused.append(True)

    with sole_writer(tmp_path / "out"):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refused == [True]


def test_a_stage_may_write_what_lies_in_its_folder(tmp_path) -> None:
    with sole_writer(tmp_path / "run"):
        (tmp_path / "run").mkdir()
        with sole_writer(tmp_path / "run"), replacing(tmp_path / "run" / "file") as temporary:
            temporary.write_text("x")
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]
        assert (tmp_path / ".run.lock").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_only_the_first_of_a_runs_processes_locks(tmp_path, holder, monkeypatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with sole_writer(tmp_path / "out"):
        pass


def test_rests_go_away_and_what_looks_alike_stays(tmp_path) -> None:
    rests = [".out.0f3a99c1.tmp", ".out.4711.tmp", "out/.config.json.12ab.tmp"]
    alike = [".out.parquet.0f3a99c1.tmp", ".out.tmp", "out.0f3a99c1.tmp", ".other.0f3a99c1.tmp", "out/.keep.tmp.x"]
    for name in (*rests[:1], *rests[2:], *alike):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / rests[1]).mkdir()
    (tmp_path / rests[1] / "half").touch()
    with sole_writer(tmp_path / "out"):
        pass
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {*alike, "out"}


def test_a_refused_stage_leaves_no_folder(tmp_path) -> None:
    @one_writer
    def stage(source: str, output: Path) -> None:
        raise InputError(source)

    with pytest.raises(InputError, match="no"):
        stage("no", tmp_path / "a" / "b" / "out")
    assert list(tmp_path.iterdir()) == []


def test_devices_and_pipes_are_no_outputs(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        for check in (require_writable, lambda path: sole_writer(path).__enter__()):
            with pytest.raises(InputError, match="is a device or a pipe; mmts writes files"):
                check(path)


def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path, monkeypatch) -> None:
    import errno

    def none(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("pipelines.artifacts.locks._lock", none)
    with replacing(tmp_path / "out") as temporary:
        temporary.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def replace_and_die(folder: Path) -> None:
    """Killed when the old folder has been moved aside and the new one isn't in its place yet."""
    original = Path.rename

    def rename(self, target):
        if Path(target) == folder:
            os._exit(9)
        return original(self, target)

    Path.rename = rename
    with replacing_folder(folder) as fresh:
        (fresh / "file").write_text("new")


def test_a_folder_moved_aside_by_a_killed_process_goes_back(tmp_path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "file").write_text("old")
    process = CONTEXT.Process(target=replace_and_die, args=(folder,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert not folder.exists()
    with sole_writer(folder):
        assert (folder / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
