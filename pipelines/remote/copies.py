"""Local copies of remote files: fetched where they are read, put where they are written.

The remote files are what counts. A copy that is newer, since it could not be put or its process was killed, is used for
as long as nobody else changes the file that it is a copy of; then the remote file wins.
"""

import contextlib
import contextvars
import glob
import hashlib
import math
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.rank import is_first_process
from pipelines.remote import index, store
from pipelines.remote.index import Copied
from pipelines.remote.paths import RemotePath, as_path, cache_folder, forget_removals, path_of, removed_below
from pipelines.remote.store import Remote

_AT_ONCE = 64  # files
_NOTED = 1_000_000  # bytes, from which on it is said how much is fetched
_fetches = contextvars.ContextVar("_fetches", default=True)
# The files that say of a folder that all of it is there: the first to be removed, and the last to be put.
_MARKER = re.compile(r"(metrics|sweep|failed|mmts_\w+)\.json")


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
    if not isinstance(path, RemotePath) or not _fetches.get():
        return path
    with _alone(path):
        there, here = store.listing(path), _files_here(path)
        known = _known(path, there, here)
        kept = _being_written(path, here)
        changed = {
            place
            for place in (here & (there.keys() | known.keys())) - kept
            if place not in there or place not in known or not _is_version(known[place], there[place])
        }
        _warn_of_lost(place for place in changed if place not in known or not _is_as(place, known[place]))
        for place in changed - there.keys():
            os.unlink(place)
        index.forget(str(place) for place in known.keys() - there.keys() - kept)
        wanted = [place for place in there if place in changed or place not in here]
        _get(path, wanted, there, progress)
        forget_removals(wanted)
    return path


@contextlib.contextmanager
def unfetched() -> Iterator[None]:
    """Fetch nothing: for work on names alone, since what reads the files fetches them."""
    token = _fetches.set(False)
    try:
        yield
    finally:
        _fetches.reset(token)


def exists(path: Path) -> bool:
    """Whether there is a file or folder of this path; of a remote one nothing is fetched.

    Raises:
        InputError: The server can't be asked, or there is no such bucket.
    """
    return store.kind(path) is not None if isinstance(path, RemotePath) else path.exists()


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this path; of a remote one nothing is fetched.

    Raises:
        InputError: As `exists`.
    """
    return store.kind(path) == "directory" if isinstance(path, RemotePath) else path.is_dir()


def found_below(folder: Path, name: str) -> list[Path]:
    """The files of a name, or of the end of a path, in a folder, at any depth; of a remote one nothing is fetched.

    Raises:
        InputError: As `exists`.
    """
    if isinstance(folder, RemotePath):
        return sorted(place for place in store.listing(folder) if place.match(name))
    return sorted(folder.rglob(name)) if folder.is_dir() else []


def _is_version(copied: Copied, remote: Remote) -> bool:
    return bool(remote.version) and copied.version == remote.version


def _being_written(path: RemotePath, here: set[RemotePath]) -> set[RemotePath]:
    """Which of the local copies are, or lie in, outputs that a process on this machine is writing."""
    from pipelines.artifacts.writers import being_written_below, is_being_written  # which imports this

    if is_being_written(path):
        return here
    outputs = being_written_below(store.folder_of(path))
    return {place for place in here if place in outputs or not outputs.isdisjoint(place.parents)} if outputs else set()


def _warn_of_lost(places: Iterable[RemotePath]) -> None:
    if lost := sorted(str(place) for place in places):
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        warnings.warn(
            f"{lost[0]}{more}: changed remotely since the copy here was made; what was not put of it is lost",
            stacklevel=4,
        )


def push(path: Path) -> None:
    """Put what is new in the local copy of a file or folder, and remove there what this process removed here.

    Files are put in the order in which they were written, and those that say that a folder is complete, as
    ``metrics.json`` does of a run, last of all; before anything else changes in such a folder, the old one is removed.
    Other paths are left alone, and so is what other processes of a run write.

    Raises:
        InputError: A file can't be put; those that were are entered, and the next call goes on with the others.
    """
    if not isinstance(path, RemotePath) or not is_first_process():
        return
    files = sorted(_files_here(path), key=lambda file: (file.stat().st_mtime_ns, str(file)))
    known = _known(path, {}, set(files))
    new = [file for file in files if file not in known or not _is_as(file, known[file])]
    gone = [place for place in removed_below(path) if place in known]  # not known where the cache was emptied
    markers = [file for file in new if _MARKER.fullmatch(file.name)]
    others = [file for file in new if not _MARKER.fullmatch(file.name)]
    folders = {folder for file in (*others, *gone) for folder in file.parents}
    for marker in [file for file in gone if _MARKER.fullmatch(file.name)]:
        _remove(marker)
    for marker in markers:
        if marker in known and marker.parent in folders:
            _remove(marker)
    for file in others:
        _put(file)
    for file in gone:
        if not _MARKER.fullmatch(file.name):
            _remove(file)
    for marker in markers:
        _put(marker)


def push_if_possible(path: Path) -> bool:
    """As `push`, with a warning where that fails: for work that goes on, and puts what is missing at its end.

    Returns:
        Whether all was put.
    """
    try:
        push(path)
    except InputError as error:
        warnings.warn(f"not put yet, tried again later: {error}", stacklevel=2)
        return False
    return True


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
    forget_removals([file])


def _remove(file: RemotePath) -> None:
    store.remove(file)
    index.forget([str(file)])
    forget_removals([file])


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
