"""Who may write an output: one process at a time, and what tells that the system lets nobody write it."""

import contextlib
import errno
import functools
import inspect
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from pipelines.artifacts.locks import FileLock, HeldError, is_held
from pipelines.errors import InputError
from pipelines.rank import is_first_process
from pipelines.remote import RemotePath, as_path, cache_folder, push_if_possible, pushing

_P = ParamSpec("_P")
_R = TypeVar("_R")

_CANT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_held: dict[Path, int] = {}  # outputs that this process holds, and the thread that does


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the output where the system refuses to write.

    Raises:
        InputError: The disk is full, or read-only, or failed.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if (reason := write_failure(error)) is None:
            raise
        raise unwritable(path, reason) from error


@contextlib.contextmanager
def sole_writer(output: Path) -> Iterator[None]:
    """Keep other processes from writing an output, a file or a folder, and remove what killed ones left of it.

    Inside, what lies in the folder can be held again. Of the processes of one run the first does this for all.

    Raises:
        InputError: Another process is writing it, or its folder can't be written to.
    """
    require_regular(output)
    target = target_of(output)
    holder = next((_held[path] for path in (target, *target.parents) if path in _held), None)
    if holder == threading.get_ident() or not is_first_process():
        yield
        return
    if holder is not None:
        raise _being_written(output, "another thread")
    with removing_new_folders(target.parent):
        lock = FileLock(_lock_of(target) if target.name else target / ".lock")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except HeldError as error:
            raise _being_written(output, str(error)) from error
        except OSError as error:
            raise unwritable(output, error.strerror) from error
        try:
            _held[target] = threading.get_ident()
            remove_rests(target.parent, re.escape(target.name))
            if target.is_dir():
                remove_rests(target, ".+")
            with pushing(target):
                yield
        finally:
            _held.pop(target, None)
            lock.release()


def _being_written(output: Path, owner: str) -> InputError:
    return InputError(f"{output}: is being written by {owner}; wait for it to end, or choose another output path")


def one_writer(stage: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a stage as the `sole_writer` of its argument ``output``."""
    signature = inspect.signature(stage)

    @functools.wraps(stage)
    def alone(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        output = signature.bind(*args, **kwargs).arguments.get("output")
        if output is None:
            return stage(*args, **kwargs)
        with sole_writer(as_path(output)):
            return stage(*args, **kwargs)

    return alone


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


def require_regular(path: Path) -> None:
    """Refuse an output that is a device or a pipe: a file would take its place."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: is a device or a pipe; mmts writes files, so choose another output path")


def target_of(path: Path) -> Path:
    """The file that an output path stands for: one that is a symbolic link is written where it leads."""
    return type(path)(os.path.realpath(path))


def is_being_written(path: Path) -> bool:
    """Whether a process on this machine is the `sole_writer` of an output, or of a folder that it lies in."""
    return any(is_held(_lock_of(each)) for each in (path, *path.parents) if each.name)


def being_written_below(folder: Path) -> set[Path]:
    """The outputs below a folder that a process on this machine is the `sole_writer` of."""
    locks = folder.rglob(".*.lock") if folder.is_dir() else ()
    return {lock.with_name(lock.name[1 : -len(".lock")]) for lock in locks if is_held(lock)}


def _lock_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.lock")


def committed(path: Path) -> None:
    """Say that an output took its place: in a remote folder that is being written it is put, with what came before."""
    for folder in path.parents:
        if folder in _held:
            push_if_possible(folder)


def unwritable(path: Path, reason: str | None) -> InputError:
    """The error of an output that the system doesn't let us write."""
    if isinstance(path, RemotePath):
        return InputError(
            f"{path}: its copy can't be written to {cache_folder()} ({reason}); name another folder by MMTS_CACHE"
        )
    return InputError(f"{path}: can't be written ({reason}); choose another output path")


def write_failure(error: BaseException) -> str | None:
    """Why the system refused to write, where that is what an error says: a full disk, a read-only one."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := re.search(r"\(os error (\d+)\)", str(error))):  # as safetensors has it
        number = int(told[1])
    return os.strerror(number) if number in _CANT_WRITE else None


def remove_rests(folder: Path, name: str) -> None:
    """Remove the temporary files and folders of killed processes, for outputs whose name has the pattern ``name``.

    A folder that was moved aside for one that never took its place goes back.

    Only for the `sole_writer` of these outputs: those of a living process look the same.
    """
    for found in [*os.scandir(folder)]:
        aside = re.fullmatch(rf"\.({name})\.aside", found.name)
        if aside and not (folder / aside[1]).exists():
            os.rename(found.path, folder / aside[1])
        elif aside or re.fullmatch(rf"\.{name}\.[0-9a-f]+\.tmp", found.name):
            if found.is_dir(follow_symlinks=False):
                shutil.rmtree(found.path, ignore_errors=True)
            else:
                Path(found.path).unlink(missing_ok=True)
