"""Files written whole or not at all, and file errors in one line."""

import contextlib
import difflib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
            hint = nearest(path.name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""
            raise InputError(f"{path}: no such file{hint}")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes)")
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def require_writable(path: Path) -> None:
    """Make the folder of an output and check that a file can be made there, before any work is done.

    Raises:
        InputError: ``path`` is a directory, or its folder can't be made or written to.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory; give the output a file name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = _temporary(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); choose another output path") from error


def require_folder(path: Path) -> None:
    """Make an output folder and check that it can be written to.

    Raises:
        InputError: It is a file, or can't be made or written to.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a folder was expected")
    require_writable(path / "probe")


@contextlib.contextmanager
def removing_new_folders(path: Path) -> Iterator[None]:
    """If the work inside fails, remove the folders down to ``path`` that it made, where they are still empty."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; sync and rename it on success, remove it on failure.

    Raises:
        InputError: The disk is full.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise InputError(f"{path}: can't be written ({error.strerror}); choose another output path") from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It is missing, unreadable or not JSON.
    """
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise InputError(f"{path}: not valid JSON (nested too deeply)") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error


def sync_files(folder: Path) -> None:
    """Make sure that the files below a folder are on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
