"""Paths of remote files: to the system a file of the local copy, in words the URL."""

import os
import re
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.errors import InputError

if sys.platform == "win32":
    from pathlib import WindowsPath as _NativePath
else:
    from pathlib import PosixPath as _NativePath

# `Path` makes one slash of the two. A drive's letter ("C:/") is no scheme.
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?P<rest>[^/].*)", re.DOTALL)
_LOCAL = ("file", "local")
_NOT_REMOTE = ("zip", "tar")  # members of archives, see `pipelines.artifacts.places`
_WITH_QUERY = ("http", "https")  # elsewhere `?` is a wildcard, or part of a name
_BUCKETS = ("s3", "s3a", "gs", "gcs", "hf")  # whose credentials come from the environment alone
_USER = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*@")
_QUERY = re.compile(r"(?<=://)([^\s?'\"]+)\?[^\s'\"]*")
_HTTP = re.compile(r"https?://[^\s'\"]+")

# What URLs of this process have besides what may be shown: `user:password@` by host, `?query` by URL.
_users: dict[str, str] = {}
_queries: dict[str, str] = {}
_removed: set["RemotePath"] = set()  # copies that this process removed or moved away: what is to be removed there


def cache_folder() -> Path:
    """The folder of the local copies: ``$MMTS_CACHE``, else ``mmts`` in the system's folder for caches."""
    return _cache_folder(os.environ.get("MMTS_CACHE"))


@lru_cache(maxsize=8)
def _cache_folder(given: str | None) -> Path:
    import platformdirs

    folder = os.path.expanduser(given) if given else platformdirs.user_cache_dir("mmts", appauthor=False)
    return Path(os.path.realpath(folder))


def _copies() -> str:
    return os.path.join(cache_folder(), "copies")


class RemotePath(_NativePath):
    """A remote file or folder: what the system opens is its copy on this machine, what is shown is its URL.

    Names, parents and parts are those of the copy, which lies at ``CACHE/copies/SCHEME/HOST/NAME``. Who reads or writes
    it as any other path writes messages and records that name the URL. Credentials are no part of it.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """The URL."""
        text, copies = self.__fspath__(), _copies() + os.sep
        if not text.startswith(copies):  # a part of such a path, as of `relative_to`
            return text
        scheme, separator, rest = text.removeprefix(copies).partition(os.sep)
        return f"{scheme}://{rest.replace(os.sep, '/')}" if separator else text

    def __fspath__(self) -> str:
        """The local copy."""
        return os.path.join(*self.parts)

    # What is removed by these is removed there too; what vanishes otherwise, as with the cache, is not.
    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the local copy, and the remote file with the next `push`."""
        _note_removal(self)
        super().unlink(missing_ok)

    def rename(self, target: Any) -> "RemotePath":
        """Move the local copy away, and the remote file with the next `push`."""
        _note_removal(self)
        return super().rename(target)

    def replace(self, target: Any) -> "RemotePath":
        """As `rename`, in the place of a file that is there."""
        _note_removal(self)
        return super().replace(target)

    # Newer Pythons make the results of these of `str`.
    def iterdir(self) -> "Generator[RemotePath, None, None]":
        """What the local copy of a folder holds."""
        return (self / name for name in os.listdir(self))

    def glob(self, pattern: str, **options: Any) -> Iterator["RemotePath"]:  # type: ignore[override]  # more by version
        """What of the local copy matches a pattern."""
        return map(type(self), Path(self.__fspath__()).glob(pattern, **options))

    def rglob(self, pattern: str, **options: Any) -> Iterator["RemotePath"]:  # type: ignore[override]  # as above
        """What of the local copy matches a pattern, at any depth."""
        return map(type(self), Path(self.__fspath__()).rglob(pattern, **options))


def _note_removal(path: Path) -> None:
    """Note that the files of a path are removed by this process, and are to be removed remotely."""
    if isinstance(path, RemotePath) and not path.name.startswith("."):
        _removed.update(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else _removed.add(path)


def remove_folder(path: Path, *, ignore_errors: bool = False) -> None:
    """As `shutil.rmtree`; the remote files go with the next `push`."""
    _note_removal(path)
    shutil.rmtree(path, ignore_errors=ignore_errors)


def removed_below(path: RemotePath) -> list[RemotePath]:
    """What this process removed of a file or folder, and is not there again."""
    return sorted(each for each in _removed if (each == path or path in each.parents) and not each.exists())


def forget_removals(paths: Iterable[RemotePath]) -> None:
    """Strike out files that are here again, or were removed remotely."""
    _removed.difference_update(paths)


def is_url(value: str | Path) -> bool:
    """Whether a text or path is a URL of something remote, and not the name of a file that is here."""
    found = _URL.fullmatch(os.fspath(value)) if not isinstance(value, RemotePath) else None
    return found is not None and found["scheme"].lower() not in _NOT_REMOTE and not os.path.exists(value)


def as_path(value: str | Path) -> Path:
    """A text or path as the path of a file here or, where it is a URL, of a remote one; nothing is fetched.

    Raises:
        InputError: A URL has no host, leads out of it, or has credentials where they are not read.
    """
    if isinstance(value, RemotePath):
        return value
    text = os.fspath(value)
    if text.startswith(_copies() + os.sep):
        return RemotePath(text)
    found = _URL.fullmatch(text) if is_url(value) else None
    if found is None:
        return Path(value)
    scheme, rest = found["scheme"].lower(), found["rest"]
    if scheme in _LOCAL:
        return Path("/", rest) if os.name != "nt" else Path(rest)
    query = ""
    if scheme in _WITH_QUERY:
        rest, _, query = rest.partition("?")
    host, *names = (part for part in rest.split("/") if part)
    user, at, host = host.rpartition("@")
    path = RemotePath(os.path.join(_copies(), scheme, host, *names))
    if at and scheme in _BUCKETS:
        raise InputError(f"{path}: credentials are no part of such a URL; give them in the environment")
    if not host or ".." in names:
        raise InputError(f"{path}: is not the URL of a file or folder; give HOST/NAME after {scheme}://")
    if at:
        _users[f"{scheme}://{host}"] = f"{user}@"
    if query:
        _queries[str(path)] = f"?{query}"
    return path


def path_of(url: str) -> RemotePath:
    """The path that a `RemotePath` is shown as."""
    scheme, _, rest = url.partition("://")
    return RemotePath(os.path.join(_copies(), scheme, rest))


def full_url(path: RemotePath) -> str:
    """The URL with the credentials that it was given with: never for messages or records."""
    url = str(path)
    scheme, _, rest = url.partition("://")
    host = f"{scheme}://{rest.partition('/')[0]}"
    return f"{scheme}://{_users.get(host, '')}{rest}{_queries.get(url, '')}"


def without_credentials(text: str) -> str:
    """A text in which URLs have no passwords and no queries, and local copies are named by their URLs."""
    if (copies := _copies() + os.sep) in text:
        named = re.compile(re.escape(copies) + r"([^/\s]+)/")
        text = named.sub(r"\1://", text)
    if "://" not in text:
        return text
    text = _USER.sub("***@", text)
    return _HTTP.sub(lambda url: _QUERY.sub(r"\1?***", url[0]), text)
