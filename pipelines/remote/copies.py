"""Local copies of remote files: fetched where they are read, put where they are written.

The remote files are what counts. A copy that is newer, since it could not be put or its process was killed, is used for
as long as nobody else changes what it is a copy of; then the remote files win.
"""

import contextlib
import glob
import hashlib
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.rank import is_first_process
from pipelines.remote import index, store
from pipelines.remote.index import Copied
from pipelines.remote.paths import RemotePath, as_path, cache_folder, path_of
from pipelines.remote.store import Remote

_AT_ONCE = 64  # files
_NOTED = 1_000_000  # bytes, from which on it is said how much is fetched
_seen: set[RemotePath] = set()  # what this process fetched or put: what of these is gone here is removed there


def located(value: str | Path, progress: Progress = SILENT) -> Path:
    """The path that a text or path stands for; where it is a URL, with a local copy of what is there now.

    A URL that stands for nothing yet, as an output's, is no fault.

    Raises:
        InputError: The URL makes no sense, the server can't be asked, or the disk has no room.
    """
    return value if isinstance(value, RemotePath) else fetch(as_path(value), progress)


def fetch(path: Path, progress: Progress = SILENT) -> Path:
    """Bring the local copy of a remote file, folder or pattern up to date; other paths are left alone.

    Raises:
        InputError: As `located`.
    """
    if not isinstance(path, RemotePath):
        return path
    with _alone(path):
        there, here = store.listing(path), _files_here(path)
        known = _known(path, there, here)
        same = {place for place, remote in there.items() if place in known and known[place].version == remote.version}
        if known.keys() == there.keys() == same or _is_being_written(path):  # nobody else has changed anything
            wanted = [place for place in there if place not in here]
        else:
            wanted = [place for place in there if place not in same or not _is_as(place, known[place])]
            for stray in here - there.keys():
                stray.unlink()
            index.forget(str(place) for place in known.keys() - there.keys())
        wanted += [place for place, remote in there.items() if not remote.version and place not in wanted]
        _get(path, wanted, there, progress)
    _seen.update(there)
    return path


def _is_being_written(path: RemotePath) -> bool:
    from pipelines.artifacts.writers import is_being_written  # which imports this

    return is_being_written(path)


def push(path: Path) -> None:
    """Put what is new in the local copy of a file or folder, and remove there what this process saw and is gone here.

    Files are put in the order in which they were written, the newest last of all: it is what says that the others are
    there, as ``metrics.json`` does of a run. Other paths are left alone, and so is what other processes of a run write.

    Raises:
        InputError: A file can't be put; those that were are entered, and the next call goes on with the others.
    """
    if not isinstance(path, RemotePath) or not is_first_process():
        return
    files = sorted(_files_here(path), key=lambda file: (file.stat().st_mtime_ns, str(file)))
    known = _known(path, {}, set(files))
    new = [file for file in files if file not in known or not _is_as(file, known[file])]
    for file in new[:-1]:
        _put(file)
    gone = [place for place in _seen - set(files) if place == path or path in place.parents]
    for place in gone:
        store.remove(place)
        index.forget([str(place)])
        _seen.discard(place)
    for file in new[-1:]:
        _put(file)


def push_if_possible(path: Path) -> None:
    """As `push`, with a warning where that fails: for work that goes on, and puts what is missing at its end."""
    try:
        push(path)
    except InputError as error:
        warnings.warn(f"not put yet, tried again later: {error}", stacklevel=2)


@contextlib.contextmanager
def pushing(path: Path) -> Iterator[None]:
    """Put what the work inside wrote, also where it fails: what it leaves is what a later one goes on with.

    Raises:
        InputError: What is written there can't be put: at once where nothing ever can, else after the work succeeded.
    """
    if isinstance(path, RemotePath):
        store.require_puts(path)
    try:
        yield
    except BaseException:
        push_if_possible(path)
        raise
    push(path)


def _put(file: RemotePath) -> None:
    before = Copied.of(file, "")
    version = store.put(file)
    index.remember([(str(file), Copied(version, before.size, before.modified))])
    _seen.add(file)


def _known(path: RemotePath, there: Mapping[RemotePath, Remote], here: set[RemotePath]) -> dict[RemotePath, Copied]:
    """What is known of the copies of a file, a folder, or of what matches a pattern."""
    base = store.folder_of(path)
    known = {path_of(url): copied for url, copied in index.known_below(str(base)).items()}
    return {place: copied for place, copied in known.items() if base == path or place in there or place in here}


def _files_here(path: RemotePath) -> set[RemotePath]:
    """The local copies that a path stands for: one, those below a folder, or those that a pattern matches."""
    if path.is_file():
        return {path}
    if path.is_dir():
        return {each for each in path.rglob("*") if each.is_file() and not store.is_hidden(each, path)}
    return {RemotePath(name) for name in glob.glob(store.pattern_of(os.fspath(path))) if os.path.isfile(name)}


def _is_as(path: RemotePath, copied: Copied) -> bool:
    """Whether a local copy is as it was when it and the remote file were the same."""
    return path.is_file() and Copied.of(path, copied.version) == copied


def _get(path: RemotePath, wanted: Sequence[RemotePath], there: Mapping[RemotePath, Remote], tell: Progress) -> None:
    """Fetch files, each whole or not at all."""
    if not wanted:
        return
    total = sum(there[place].size for place in wanted)
    if total >= _NOTED:
        files = f"{len(wanted):,} files, " if len(wanted) > 1 else ""
        tell.note(f"{path}: fetching {files}{total / 1e6:,.0f} MB")
    folder = cache_folder()
    if total > (free := shutil.disk_usage(folder).free):
        raise InputError(
            f"{path}: its copy takes {total / 1e9:,.1f} GB, and {folder} has {free / 1e9:,.1f} GB left; name another "
            "folder by MMTS_CACHE"
        )
    with (
        tell.task("fetching", math.ceil(total / 1e6), "MB") as task,
        tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as staging,
    ):
        for first in range(0, len(wanted), _AT_ONCE):
            some = [
                (place, Path(staging, str(number))) for number, place in enumerate(wanted[first : first + _AT_ONCE])
            ]
            store.get(some)
            for place, staged in some:
                try:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    staged.replace(place)
                except OSError as error:
                    raise InputError(f"{place}: can't be copied to {folder} ({error.strerror})") from error
            index.remember((str(place), Copied.of(place, there[place].version)) for place, _ in some)
            task.advance(round(sum(there[place].size for place, _ in some) / 1e6))


@contextlib.contextmanager
def _alone(path: RemotePath) -> Iterator[None]:
    """Let one process fetch a path, while others that want it wait.

    Raises:
        InputError: The folder of the copies can't be written to.
    """
    import filelock

    folder = cache_folder() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / hashlib.sha256(str(path).encode()).hexdigest()[:32])
        with lock:
            yield
    except OSError as error:
        raise InputError(
            f"{cache_folder()}: copies of remote files can't be written there ({error.strerror}); name another folder "
            "by MMTS_CACHE"
        ) from error
