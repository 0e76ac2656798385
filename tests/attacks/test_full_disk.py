"""A disk that is full from any write on: exit code 2 and one line, what was there stays, and nothing is left over."""

import builtins
import contextlib
import errno
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from bad_inputs.good import make_good
from safetensors import SafetensorError

from attacks.kill import COMMANDS, contents, hidden

# What makes the output that is there before differ from the one that can't be written.
OTHER = {
    **{"prepare": ["--class-column", "noun"], "embed": ["--dtype", "float16"], "cluster": ["--seed", "1"]},
    **{"shifts": ["--rule", "log"], "train": ["--seed", "1"], "eval": ["--seed", "1"]},
    "export": ["--scores", "{good}/scores"],
}


class Disk:
    """A disk on which, below a folder, the writes from the k-th on fail, and none fails before."""

    def __init__(self, folder: Path, number: int, first: int) -> None:
        self.folder, self.number, self.first, self.done = str(folder), number, first, 0
        self.took_room = False  # of the first write that failed

    def fails(self, *, takes_room: bool = True) -> bool:
        """Count a write; a full disk refuses all that come after, but lets files be renamed."""
        self.done += 1
        if self.done == self.first + 1:
            self.took_room = takes_room
        return self.done > self.first if takes_room else self.done == self.first + 1

    def error(self) -> OSError:
        return OSError(self.number, os.strerror(self.number))

    def is_below(self, path: Any) -> bool:
        return isinstance(path, int) or str(path).startswith(self.folder)

    def call(self, original: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def function(path: Any, *rest: Any, **named: Any) -> Any:
            if self.is_below(path) and self.fails(**options):
                raise self.error()
            return original(path, *rest, **named)

        return function

    def opened(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def function(path: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            writes = self.is_below(path) and set(mode) & set("wax+")
            if writes and self.fails():
                raise self.error()
            handle = original(path, mode, *rest, **named)
            return File(handle, self) if writes else handle

        return function

    def os_opened(self, original: Callable[..., int]) -> Callable[..., int]:
        def function(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR) and self.is_below(path) and self.fails():
                raise self.error()
            return original(path, flags, *rest, **named)

        return function

    def saved(self, original: Callable[..., None]) -> Callable[..., None]:
        def function(tensors: Any, path: Any, *rest: Any, **named: Any) -> None:
            if self.is_below(path) and self.fails():  # as its Rust says it
                raise SafetensorError(f"I/O error: {os.strerror(self.number)} (os error {self.number})")
            original(tensors, path, *rest, **named)

        return function


class File:
    """An open file on a `Disk`."""

    def __init__(self, handle: Any, disk: Disk) -> None:
        self._handle, self._disk = handle, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *error: Any) -> None:
        self._handle.close()

    def write(self, data: Any) -> int:
        if self._disk.fails():
            raise self._disk.error()
        return self._handle.write(data)


@contextlib.contextmanager
def failing(folder: Path, number: int, first: int) -> Iterator[Disk]:
    """Let the writes from one on fail."""
    disk = Disk(folder, number, first)
    with pytest.MonkeyPatch.context() as patch:
        for module in (io, builtins):
            patch.setattr(module, "open", disk.opened(io.open))
        patch.setattr(os, "open", disk.os_opened(os.open))
        patch.setattr(os, "mkdir", disk.call(os.mkdir))
        for name in ("rename", "replace", "fsync"):
            patch.setattr(os, name, disk.call(getattr(os, name), takes_room=False))
        patch.setattr(safetensors.torch, "serialize_file", disk.saved(safetensors.torch.serialize_file))
        yield disk


@pytest.fixture(scope="module")
def good(tmp_path_factory, write_artifact) -> Path:
    folder = tmp_path_factory.mktemp("disk") / "good"
    make_good(folder, write_artifact)
    return folder


def command(name: str, good: Path, folder: Path) -> list[str]:
    line = COMMANDS[name].replace("--epochs 4", "--epochs 1")
    return [word.format(good=good) for word in f"{name} {line} -q -o".split()] + [str(folder / "out")]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMMANDS))
def test_what_was_there_stays(name, good, tmp_path, mmts) -> None:
    work, before = tmp_path / "work", tmp_path / "before"
    work.mkdir()
    words = command(name, good, work)
    assert mmts(*words, *(word.format(good=good) for word in OTHER[name])).code == 0
    work.rename(before)
    earlier = contents(before)
    for first in count():
        shutil.copytree(before, work)
        with failing(work, (errno.ENOSPC, errno.EROFS, errno.EIO)[first % 3], first) as disk:
            ran = mmts(*words)
        left = contents(work)
        shutil.rmtree(work)
        if disk.done <= first:
            break
        if ran.code == 0:  # such as a folder that can't be synced, or a lock without its owner's name
            assert not disk.took_room, first
            continue
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), (first, ran)
        assert "/work/out" in ran.err, (first, ran)  # the path may be shortened in its middle
        assert "can't be written" in ran.err, (first, ran)
        assert hidden(left) == [], first
        if name == "train":  # it begins with moving the earlier run aside
            left = {
                re.sub("previous(.tmp)?/", "", place): left[place]
                for place in sorted(left, key=lambda place: "previous" in place)
            }
            assert earlier.items() <= left.items(), first
        elif name == "eval" and not disk.took_room:  # where there is room for both files, the second may stay behind
            assert left["out/metrics.json"] == earlier["out/metrics.json"], first
        else:
            made = {place for place in left if place.startswith("out.parts/")}  # which the next embed goes on from
            assert {place: left[place] for place in left if place not in made} == earlier, first
    assert ran.code == 0
    assert left != earlier
    assert first > 5
