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
from pipelines.remote import as_path, copies, fetch, located, push, pushing, store


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
    (folder / "1").unlink()
    copies._seen.clear()  # another process
    assert (located("memory://b/x") / "1").read_text() == "1"
    shutil.rmtree(cache)
    copies._seen.clear()
    push(folder)
    assert memory.find("/b") == ["/b/x/1", "/b/x/2"]


def test_a_folder_is_put_in_the_order_of_writing_and_the_newest_comes_after_removals(memory, puts) -> None:
    memory.pipe({"/b/run/metrics.json": b"old", "/b/run/old": b"old"})
    folder = located("memory://b/run")
    for name in ("metrics.json", "old"):
        (folder / name).unlink()
    for moment, name in enumerate(["model/b", "model/a", "metrics.json"], start=1):
        write(folder / name, name, moment)
    push(folder)
    assert puts == [f"{sign}memory://b/run/{name}" for sign, name in [
        ("", "model/b"), ("", "model/a"), ("-", "old"), ("", "metrics.json")
    ]]  # fmt: skip
    puts.clear()
    push(folder)
    assert puts == []


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


def test_what_others_wrote_there_wins_over_a_copy_that_was_not_put(memory) -> None:
    memory.pipe({"/b/x/1": b"1", "/b/x/2": b"2"})
    folder = located("memory://b/x")
    write(folder / "1", "mine", 1)
    write(folder / "3", "mine too", 1)
    memory.pipe("/b/x/2", b"theirs")
    fetch(folder)
    assert {each.name: each.read_text() for each in folder.iterdir()} == {"1": "1", "2": "theirs"}


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
    memory.pipe({"/b/model/old": b"old", "/b/model/config.json": b"old"})
    with replacing_folder(located("memory://b/model")) as fresh:
        write(fresh / "config.json", "new", 1)
        write(fresh / "weights", "new", 2)
    assert puts == ["memory://b/model/config.json", "-memory://b/model/old", "memory://b/model/weights"]
    assert {name: memory.cat(name) for name in memory.find("/b")} == {
        "/b/model/config.json": b"new",
        "/b/model/weights": b"new",
    }
