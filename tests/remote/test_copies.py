"""Local copies: fetched once, put whole, and never in the way of what is there remotely."""

import errno
import os
import shutil

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.artifacts.files import replacing, replacing_folder
from pipelines.artifacts.writers import sole_writer
from pipelines.errors import InputError
from pipelines.remote import as_path, fetch, located, push, pushing, remove_folder, store


@pytest.fixture
def fetched(monkeypatch):
    """The URLs that were fetched, in order."""
    urls: list[str] = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda files: (urls.extend(str(path) for path, _ in files), get(files)))
    return urls


@pytest.fixture
def puts(monkeypatch):
    """What was put or removed, in order."""
    urls: list[str] = []
    put, remove = store.put, store.remove
    monkeypatch.setattr(store, "put", lambda path: (urls.append(str(path)), put(path))[1])
    monkeypatch.setattr(store, "remove", lambda path: (urls.append(f"-{path}"), remove(path))[1])
    return urls


def write(path, text: str, moment: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (moment, moment))


def test_a_file_is_fetched_once_and_again_when_it_changed(memory, fetched) -> None:
    memory.pipe("/b/a", b"one")
    assert located("memory://b/a").read_text() == "one"
    assert located("memory://b/a").read_text() == "one"
    assert fetched == ["memory://b/a"]
    memory.pipe("/b/a", b"two")
    assert located("memory://b/a").read_text() == "two"
    memory.rm("/b/a")
    assert not located("memory://b/a").exists()


def test_a_folder_is_what_it_is_remotely(memory, fetched) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/y/2": b"2", "/b/x/.hidden": b"3", "/b/xy": b"4"})
    folder = located("memory://b/x")
    assert sorted(str(each) for each in folder.rglob("*") if each.is_file()) == ["memory://b/x/1", "memory://b/x/y/2"]
    memory.rm("/b/x/1")
    memory.pipe("/b/x/y/2", b"22")
    fetch(folder)
    assert [each.read_text() for each in folder.rglob("*") if each.is_file()] == ["22"]
    assert fetched == ["memory://b/x/1", "memory://b/x/y/2", "memory://b/x/y/2"]


@pytest.mark.parametrize("pattern", ["memory://b/part-*.parquet", "memory://b/part-{0..1}.parquet"])
def test_of_a_pattern_what_matches_is_fetched(memory, fetched, pattern) -> None:
    memory.pipe({"/b/part-0.parquet": b"0", "/b/part-1.parquet": b"1", "/b/other.parquet": b"2"})
    folder = located(pattern).parent
    located(pattern)
    assert fetched == ["memory://b/part-0.parquet", "memory://b/part-1.parquet"]
    assert sorted(each.name for each in folder.iterdir()) == ["part-0.parquet", "part-1.parquet"]
    memory.rm("/b/part-0.parquet")
    located(pattern)
    assert [each.name for each in folder.iterdir()] == ["part-1.parquet"]


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


def test_what_can_t_be_put_is_put_later(memory, monkeypatch) -> None:
    memory.pipe("/b/a", b"old")
    path = located("memory://b/a")
    write(path, "newer", 1)
    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "put_file", lambda *_: (_ for _ in ()).throw(ConnectionError("reset")))
        with pytest.raises(InputError, match=r"^memory://b/a: the server doesn't answer; check the network"):
            push(path)
    assert memory.cat("/b/a") == b"old"
    assert located("memory://b/a").read_text() == "newer"  # nobody else wrote there: the copy is ahead
    push(path)
    assert memory.cat("/b/a") == b"newer"


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


def test_a_disk_that_is_too_small_is_an_error_before_anything_is_fetched(memory, monkeypatch, fetched) -> None:
    memory.pipe("/b/a", b"1" * 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 1, 999))
    with pytest.raises(InputError, match=r"^memory://b/a: its copy takes 0.0 GB, and .*cache has .* MMTS_CACHE$"):
        located("memory://b/a")
    assert fetched == []


def test_a_folder_of_copies_that_can_t_be_written_is_named(memory, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MMTS_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file: copies of remote files can't be written there \(.*MMTS_CACHE$"):
        located("memory://b/a")


class _Disk(MemoryFileSystem):
    """A file system whose files are seen while they are written."""

    protocol = "disk"
    store: dict = {}  # noqa: RUF012  # as the class that it extends has it
    pseudo_dirs = [""]  # noqa: RUF012  # as above

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("disk://", "memory://"))


def test_where_a_put_is_seen_half_done_a_file_is_put_beside_and_renamed(monkeypatch) -> None:
    fsspec.register_implementation("disk", _Disk, clobber=True)
    path = located("disk://b/a")
    write(path, "new", 1)
    put_file, seen = _Disk.put_file, []

    def put(self, source, name, **options):
        seen.append(name)
        put_file(self, source, name, **options)

    monkeypatch.setattr(_Disk, "put_file", put)
    push(path)
    assert seen[0].startswith("/b/.a.")
    assert (_Disk().find("/"), _Disk().cat("/b/a")) == (["/b/a"], b"new")


def test_pages_are_no_outputs_which_is_said_before_the_work() -> None:
    refused = pytest.raises(
        InputError, match=r"^https://host/a: can't be written, since pages can only be read; choose"
    )
    with refused, pushing(as_path("https://host/a")):
        pytest.fail("the work began")


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


def test_a_disk_that_is_full_is_told_of_with_the_folder_of_the_copies(memory, monkeypatch, cache) -> None:
    memory.pipe("/b/a", b"1")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "get", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(InputError, match=f"^memory://b/a: its copy has no room in {cache}; name another folder by"):
            located("memory://b/a")
    path = located("memory://b/c")
    said = rf"^memory://b/c: its copy can't be written to {cache} \(No space left on device\); name another folder by"
    with pytest.raises(InputError, match=said), replacing(path):
        raise full


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
