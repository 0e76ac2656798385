"""Folders: what is put and removed there in which order, and what of the copies stays."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.artifacts.files import replacing_folder
from pipelines.artifacts.writers import sole_writer
from pipelines.errors import InputError
from pipelines.remote import as_path, fetch, located, push, remove_folder
from remote.conftest import write


def test_a_copy_that_somebody_removed_is_fetched_again_and_nothing_is_removed_there(memory, cache) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/2": b"2"})
    folder = located("memory://b/x")
    os.unlink(folder / "1")
    push(folder)
    assert (located("memory://b/x") / "1").read_text() == "1"
    shutil.rmtree(cache / "copies")  # the index stays
    push(folder)
    (fetch(folder) / "1").unlink()
    shutil.rmtree(cache)
    push(folder)
    assert memory.find("/b") == ["/b/x/1", "/b/x/2"]


def test_what_was_removed_by_the_stage_and_came_back_is_not_removed_there_later(memory, cache) -> None:
    memory.pipe("/b/x/1", b"1")
    folder = located("memory://b/x")
    (folder / "1").unlink()
    fetch(folder)
    shutil.rmtree(cache / "copies")
    push(folder)
    assert memory.find("/b") == ["/b/x/1"]


def test_a_folder_that_the_stage_removed_is_removed_there(memory) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/y/2": b"2", "/b/x/z/3": b"3", "/b/xy": b"4"})
    folder = located("memory://b/x")
    remove_folder(folder / "y")
    (folder / "z").rename(folder / "moved")
    push(folder)
    assert memory.find("/b") == ["/b/x/1", "/b/x/moved/3", "/b/xy"]


def test_a_folder_is_put_in_the_order_of_writing_without_its_marker_until_all_is_there(memory, puts) -> None:
    memory.pipe({"/b/run/metrics.json": b"old", "/b/run/old": b"old"})
    folder = located("memory://b/run")
    for name in ("metrics.json", "old"):
        (folder / name).unlink()
    for moment, name in enumerate(["model/b", "model/a", "metrics.json"], start=1):
        write(folder / name, name, moment)
    push(folder)
    assert puts == [f"{sign}memory://b/run/{name}" for sign, name in [
        ("-", "metrics.json"), ("", "model/b"), ("", "model/a"), ("-", "old"), ("", "metrics.json")
    ]]  # fmt: skip
    puts.clear()
    push(folder)
    assert puts == []
    write(folder / "metrics.json", "alone", 4)
    push(folder)
    assert puts == ["memory://b/run/metrics.json"]  # at once, since nothing else changes


def test_of_a_folder_that_is_removed_the_marker_goes_first(memory, puts) -> None:
    memory.pipe({f"/b/run/{name}": b"old" for name in ("config.json", "metrics.json", "model/weights")})
    folder = located("memory://b/run")
    remove_folder(folder)
    write(folder / "config.json", "new", 1)
    push(folder)
    assert puts == [f"{sign}memory://b/run/{name}" for sign, name in [
        ("-", "metrics.json"), ("", "config.json"), ("-", "model/weights")
    ]]  # fmt: skip


def test_a_marker_that_was_removed_and_not_put_again_is_put_by_the_next_command(memory, monkeypatch) -> None:
    memory.pipe({"/b/run/metrics.json": b"old", "/b/run/weights": b"old"})
    folder = located("memory://b/run")
    for name in ("weights", "metrics.json"):
        write(folder / name, "new", 1)
    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "put_file", lambda *_: (_ for _ in ()).throw(ConnectionError("reset")))
        with pytest.raises(InputError):
            push(folder)
    assert memory.find("/b") == ["/b/run/weights"]
    push(fetch(folder))
    assert {memory.cat(name) for name in memory.find("/b")} == {b"new"}


def test_what_others_wrote_there_wins_over_a_copy_that_was_not_put(memory, recwarn) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/2": b"2", "/b/x/3": b"3"})
    folder = located("memory://b/x")
    for name in ("1", "2", "4"):
        write(folder / name, "mine", 1)
    memory.pipe({"/b/x/2": b"theirs", "/b/x/3": b"theirs", "/b/x/4": b"theirs"})
    fetch(folder)
    assert {each.name: each.read_text() for each in folder.iterdir()} == {
        "1": "mine",
        **dict.fromkeys("234", "theirs"),
    }
    [said] = recwarn
    assert str(said.message) == (
        "memory://b/x/2 and 1 more: changed remotely since the copy here was made; what was not put of it is lost"
    )


def test_copies_that_were_not_put_stay_where_others_write_other_files(memory, recwarn) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/2": b"2", "/b/x/3": b"3"})
    folder = located("memory://b/x")
    write(folder / "1", "mine", 1)
    write(folder / "weights", "mine", 1)
    memory.pipe("/b/x/2", b"theirs")
    memory.rm("/b/x/3")
    fetch(folder)
    assert {each.name: each.read_text() for each in folder.iterdir()} == {
        "1": "mine",
        "2": "theirs",
        "weights": "mine",
    }
    assert not recwarn.list
    push(folder)
    assert memory.cat("/b/x/weights") == b"mine"


def test_what_is_being_written_here_is_left_alone(memory) -> None:
    memory.pipe({"/b/run/1": b"1", "/b/run/2": b"2"})
    folder = located("memory://b/run")
    with sole_writer(folder):
        (folder / "new").write_text("not put yet")
        memory.pipe("/b/run/1", b"theirs")
        fetch(folder / "1")
        fetch(folder)
        assert {each.name for each in folder.iterdir()} == {"1", "2", "new"}
        assert (folder / "1").read_text() == "1"
    assert memory.cat("/b/run/new") == b"not put yet"


def test_an_output_that_another_process_writes_is_left_alone_by_who_reads_the_folder_around(memory) -> None:
    memory.pipe({"/b/table": b"old", "/b/run/1": b"1", "/b/run/2": b"2"})
    located("memory://b")
    run = as_path("memory://b/run")
    with sole_writer(run):
        write(run / "1", "not put yet", 1)
        memory.pipe({"/b/table": b"new", "/b/run/1": b"theirs", "/b/run/3": b"3"})
        memory.rm("/b/run/2")
        fetch(as_path("memory://b"))
        assert {each.name: each.read_text() for each in run.iterdir()} == {"1": "not put yet", "2": "2", "3": "3"}
        assert as_path("memory://b/table").read_text() == "new"
        fetch(as_path("memory://b/r*/1"))
        assert (run / "1").read_text() == "not put yet"


def test_a_lock_that_a_killed_process_left_is_none_though_its_number_is_used_again(memory) -> None:
    memory.pipe("/b/a", b"old")
    path = located("memory://b/a")
    for number in (os.getpid(), os.getppid()):
        path.with_name(".a.lock").write_text(f"process {number} on {socket.gethostname()}")
        memory.pipe("/b/a", b"new %d" % number)
        assert fetch(path).read_text() == f"new {number}"


def test_a_lock_of_another_process_holds(memory) -> None:
    memory.pipe("/b/a", b"old")
    path = located("memory://b/a")
    code = "import sys\nfrom pathlib import Path\nfrom pipelines.artifacts.locks import FileLock\n"
    code += "FileLock(Path(sys.argv[1])).acquire()\nprint(flush=True)\ninput()"
    line = [sys.executable, "-c", code, os.fspath(path.with_name(".a.lock"))]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdout.readline()
        memory.pipe("/b/a", b"new")
        assert fetch(path).read_text() == "old"
        holder.kill()
    assert fetch(path).read_text() == "new"


def test_a_folder_that_takes_anothers_place_takes_it_there_too(memory, puts) -> None:
    memory.pipe({"/b/model/old": b"old", "/b/model/config.json": b"old", "/b/model/mmts_export.json": b"old"})
    with replacing_folder(located("memory://b/model")) as fresh:
        write(fresh / "mmts_export.json", "new", 0)
        write(fresh / "config.json", "new", 1)
        write(fresh / "weights", "new", 2)
    assert puts == [f"{sign}memory://b/model/{name}" for sign, name in [
        ("-", "mmts_export.json"), ("", "config.json"), ("", "weights"), ("-", "old"), ("", "mmts_export.json")
    ]]  # fmt: skip
    assert {name: memory.cat(name) for name in memory.find("/b")} == {
        "/b/model/config.json": b"new",
        "/b/model/mmts_export.json": b"new",
        "/b/model/weights": b"new",
    }
