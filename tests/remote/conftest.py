"""Remote files in memory or on an S3-compatible server, and local copies in a folder of each test's own."""

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import pytest

from pipelines.remote import paths, store

KEY, SECRET = "AKIAKEYOFTHETESTS", "secret-of-the-tests"


def forget_everything() -> None:
    """Be as a process that has just begun."""
    for state in (paths._removed, paths._users, paths._queries):
        state.clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the local copies, of this test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MMTS_CACHE", str(folder))
    forget_everything()
    return folder


@pytest.fixture
def elsewhere(cache: Path) -> Callable[[], None]:
    """Go on on another machine: without local copies."""

    def leave() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        forget_everything()

    return leave


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system ``memory://``, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of an S3-compatible server, moto's."""
    moto = pytest.importorskip("moto.server", reason="needs moto: pip install 'mmts[dev]'")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    started = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    yield "http://{}:{}".format(*started.get_host_and_port())
    started.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The server's file system, with an empty bucket called ``bucket``; the environment knows how to reach it."""
    settings = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**settings, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    system = fsspec.filesystem("s3")
    system.mkdir("bucket")
    yield system
    system.rm("bucket", recursive=True)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an emulator of Google Cloud Storage, with an empty bucket called ``bucket``."""
    for package in ("gcp_storage_emulator", "gcsfs"):
        pytest.importorskip(package, reason=f"needs {package}: pip install 'mmts[dev]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}"]
    log = tmp_path_factory.mktemp("gcs") / "log"  # it tells of connections that are closed, too
    with log.open("wb") as told:
        started = subprocess.Popen([*line, "--in-memory", "--default-bucket=bucket"], stdout=told, stderr=told)
    try:
        answers = False
        while not answers:
            assert started.poll() is None, log.read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                answers = True
            time.sleep(0.1)
        assert started.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        started.kill()
        started.wait()


@pytest.fixture
def gs(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The emulator's file system, with an empty bucket called ``bucket``; the environment knows how to reach it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it asks by gRPC, for a minute
    fsspec.get_filesystem_class("gs").clear_instance_cache()
    system = fsspec.filesystem("gs")
    yield system
    if names := system.find("bucket"):
        system.rm(names)
    fsspec.get_filesystem_class("gs").clear_instance_cache()


class Bucket(NamedTuple):
    """An empty bucket of a server.

    Attributes:
        system: The server's file system.
        url: The bucket's URL.
    """

    system: Any
    url: str


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket of each server in turn."""
    return Bucket(request.getfixturevalue(request.param), f"{request.param}://bucket")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were fetched, in order."""
    urls: list[str] = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda files: (urls.extend(str(path) for path, _ in files), get(files)))
    return urls


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put or removed, in order."""
    urls: list[str] = []
    put, remove = store.put, store.remove
    monkeypatch.setattr(store, "put", lambda path: (urls.append(str(path)), put(path))[1])
    monkeypatch.setattr(store, "remove", lambda path: (urls.append(f"-{path}"), remove(path))[1])
    return urls


def write(path: Path, text: str, moment: int) -> None:
    """Write a file, last changed at a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (moment, moment))
