"""What the local copies are copies of: the version that each remote file had, and the state of the copy made of it."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import InputError
from pipelines.remote.paths import cache_folder

if TYPE_CHECKING:
    import sqlite3

_TABLE = "CREATE TABLE IF NOT EXISTS copies (url TEXT PRIMARY KEY, version TEXT, size INTEGER, modified INTEGER)"
_SECONDS = 60.0  # that one process waits for another's line


@dataclass(frozen=True)
class Copied:
    """A local copy as it was when it and the remote file were the same.

    Attributes:
        version: What names the content of the remote file, see `pipelines.remote.store.version_of`.
        size: Bytes of the copy.
        modified: Its time of change in nanoseconds.
    """

    version: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path, version: str) -> "Copied":
        """A copy as it is now."""
        stat = path.stat()
        return cls(version, stat.st_size, stat.st_mtime_ns)


def known_below(url: str) -> dict[str, Copied]:
    """The copies of a URL and of all below it."""
    # '0' follows '/' in the order of characters: all names that begin with "URL/" lie between the two.
    with _open() as table:
        found = table.execute(
            "SELECT * FROM copies WHERE url = ? OR (url > ? AND url < ?)", (url, f"{url}/", f"{url}0")
        )
        return {name: Copied(*state) for name, *state in found}


def remember(copies: Iterable[tuple[str, Copied]]) -> None:
    """Enter copies, or enter them anew."""
    with _open() as table:
        lines = ((url, copied.version, copied.size, copied.modified) for url, copied in copies)
        table.executemany("INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)", lines)


def forget(urls: Iterable[str]) -> None:
    """Strike out copies."""
    with _open() as table:
        table.executemany("DELETE FROM copies WHERE url = ?", ((url,) for url in urls))


@contextlib.contextmanager
def _open() -> "Iterator[sqlite3.Connection]":
    import sqlite3

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite", timeout=_SECONDS)) as table, table:
            table.execute(_TABLE)
            yield table
    except (OSError, sqlite3.Error) as error:
        raise InputError(
            f"{folder}: copies of remote files can't be kept there ({error}); empty it, or name another by MMTS_CACHE"
        ) from error
