"""Files written whole or not at all, by one process at a time, and file errors in one line."""

import contextlib
import difflib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.artifacts.writers import (
    committed,
    remove_rests,
    require_regular,
    sole_writer,
    target_of,
    unwritable,
    writing,
)
from pipelines.errors import InputError


def nearest(name: str, candidates: list[str]) -> str:
    """``"; did you mean 'caption'?"`` for the closest candidate, or an empty string."""
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean '{folded[close[0]]}'?" if close else ""


def require_file(path: Path) -> None:
    """Check that ``path`` is a file that can be read and holds something.

    Raises:
        InputError: It is missing, a directory, empty or not readable.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a directory; a file was expected")
        if not path.exists():
            folder = path.parent
            hint = nearest(path.name, _visible(folder)) if folder.is_dir() else ""
            raise InputError(f"{path}: no such file{hint}")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes)")
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def _visible(folder: Path) -> list[str]:
    """The names in a folder, without hidden ones such as locks."""
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def require_writable(path: Path) -> None:
    """Make the folder of an output and check that a file can be made there, before any work is done.

    Raises:
        InputError: ``path`` is a directory, a device or a pipe, or its folder can't be made or written to.
    """
    require_regular(path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory; give the output a file name")
    _require_room(path, target_of(path).parent)


def require_folder(path: Path) -> None:
    """Make an output folder and check that it can be written to.

    Raises:
        InputError: It is a file, or can't be made or written to.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a folder was expected")
    _require_room(path, path)


def _require_room(path: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(path, error.strerror) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; sync and rename it on success, remove it on failure.

    Raises:
        InputError: The disk is full, or another process writes ``path``.
    """
    with writing(path), sole_writer(path):
        target = target_of(path)
        remove_rests(target.parent, re.escape(target.name))
        temporary = _temporary(target)
        try:
            temporary.touch()
            mode = temporary.stat().st_mode  # by the umask; safetensors makes files that only their owner can read
            yield temporary
            temporary.chmod(mode)
            _sync_file(temporary)
            temporary.replace(target)
            _sync_folder(target.parent)
            committed(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``, which takes its place on success and goes away on failure.

    Raises:
        InputError: The disk is full, or another process writes ``path``.
    """
    with writing(path), sole_writer(path):
        target = target_of(path)
        remove_rests(target.parent, re.escape(target.name))
        fresh, old = _temporary(target), target.with_name(f".{target.name}.aside")
        try:
            fresh.mkdir(parents=True)
            yield fresh
            finish_files(fresh)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            _sync_folder(target.parent)
            committed(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
        finally:
            for rest in (fresh, old):
                shutil.rmtree(rest, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with replacing_json(path, value):
        pass


@contextlib.contextmanager
def replacing_json(path: Path, value: Any) -> Iterator[None]:
    """Write ``value`` as indented JSON, which takes its place where what is done inside succeeds."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        _sync_file(temporary)  # some file systems notice only now that there is no room
        yield


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It is missing, unreadable or not JSON.
    """
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise InputError(f"{path}: not valid JSON (nested too deeply)") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error


def finish_files(folder: Path) -> None:
    """Give the files below a new folder its mode, by the umask, whatever wrote them, and put them on the disk."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            _sync_file(path)


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


def _sync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folders, and keeps names by itself
    with contextlib.suppress(OSError):  # what it has to hold is in place; not every file system syncs folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
