"""Local copies: fetched once, put whole, and never in the way of what is there remotely."""

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.errors import InputError
from pipelines.remote import fetch, located, push
from remote.conftest import write


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


def test_what_others_put_right_after_a_put_is_fetched(memory, monkeypatch) -> None:
    path = located("memory://b/a")
    write(path, "mine", 1)
    put_file = MemoryFileSystem.put_file

    def put_and_be_replaced(self, *arguments):
        put_file(self, *arguments)
        memory.pipe("/b/a", b"theirs")

    with monkeypatch.context() as racing:
        racing.setattr(MemoryFileSystem, "put_file", put_and_be_replaced)
        push(path)
    assert fetch(path).read_text() == "theirs"
