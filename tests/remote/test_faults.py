"""Faults of servers, disks and names, in a line each."""

import errno
import http.server
import os
import shutil
import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.artifacts.files import replacing
from pipelines.errors import InputError
from pipelines.remote import as_path, located, pushing


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


def test_pages_are_no_outputs_which_is_said_before_the_work() -> None:
    refused = pytest.raises(
        InputError, match=r"^https://host/a: can't be written, since pages can only be read; choose"
    )
    with refused, pushing(as_path("https://host/a")):
        pytest.fail("the work began")


def test_a_name_that_no_path_can_have_is_a_line(memory) -> None:
    memory.pipe({"/b/x//1": b"1", "/b/x/2": b"2"})
    with pytest.raises(InputError, match=r"^memory://b: holds /b/x//1, and no path can have '//' in its name; rename"):
        located("memory://b")


def test_a_file_called_bucket_is_no_bucket(memory) -> None:
    assert not located("memory://my-bucket/bucket.parquet").exists()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "not allowed (403); check the credentials, or whether the URL's signature has expired"),
        (500, "the server has an error (500); try again, or look there"),
        (429, "the server refuses (429); try again, or look there"),
        (404, None),
    ],
)
def test_what_a_pages_server_says(status, said) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/bucket.parquet"
        if said is None:
            assert not located(url).exists()
        else:
            with pytest.raises(InputError) as refused:
                located(url)
            assert str(refused.value) == f"{url}: {said}"
        server.shutdown()


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
