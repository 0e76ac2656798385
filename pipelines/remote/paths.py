"""Paths of remote files: to the system a file of the local copy, in words the URL."""

import os
import re
import shutil
import sys
from collections.abc import Collection, Generator, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.errors import InputError

if sys.platform == "win32":
    from pathlib import WindowsPath as _NativePath
else:
    from pathlib import PosixPath as _NativePath

# `Path` makes one slash of the two. A drive's letter ("C:/") is no scheme.
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/{1,3}(?P<rest>|[^/].*)", re.DOTALL)
_LOCAL = ("file", "local")
_NOT_REMOTE = ("zip", "tar")  # members of archives, see `pipelines.artifacts.places`
_WITH_QUERY = ("http", "https")  # elsewhere `?` is a wildcard, or part of a name
_BUCKETS = ("s3", "s3a", "gs", "gcs", "hf")  # whose credentials come from the environment alone
_USER_AND_REPOSITORY = "github"  # github://OWNER:REPOSITORY@BRANCH/NAME has no password
_CHAINED = re.compile(r"(?!(?:zip|tar):)[A-Za-z][A-Za-z0-9+.-]+::.*:/.*", re.DOTALL)
_PARAMETER = re.compile(r"\?[\w.~%-]+=")
_PORT = re.compile(r":\d*")

# What texts are not to show. The user of a page may be a token; passwords may hold "/" and "@", and ports don't count.
_SECRETS = (
    (re.compile(r"(https?:/{1,2})[^/\s\"]*@", re.IGNORECASE), r"\1***@"),
    (re.compile(rf"((?<!{_USER_AND_REPOSITORY})://)[^/\s\"@:]*:(?!\d+(?:[/?\s\"]|$))[^\s\"]*@"), r"\1***@"),
    (re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", re.IGNORECASE), r"\1?***"),
    (re.compile(r"(://[^\s?'\"]+)\?[\w.~%-]+=[^\s'\"]*"), r"\1?***"),
)

# What URLs of this process have besides what may be shown: `user:password@host` by what of it is, `?query` by URL.
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
    if found is None or found["scheme"].lower() in _NOT_REMOTE or os.path.exists(value):
        return False
    scheme = found["scheme"]
    if isinstance(value, Path):  # of a text with one slash or two
        return not os.path.isdir(f"{scheme}:") or scheme in _schemes()
    return "://" in value or scheme.lower() in _LOCAL


def _schemes() -> Collection[str]:
    """The kinds of URLs that fsspec knows."""
    from fsspec import available_protocols

    return available_protocols()  # type: ignore[no-any-return]  # fsspec has no types


def _is_remote(scheme: str) -> bool:
    return scheme in _schemes() and scheme not in (*_NOT_REMOTE, *_LOCAL)


def as_path(value: str | Path) -> Path:
    """A text or path as the path of a file here or, where it is a URL, of a remote one; nothing is fetched.

    Raises:
        InputError: A URL has no host, leads out of it, has credentials where they are not read, or is no single URL.
    """
    if isinstance(value, RemotePath):
        return value
    text = os.fspath(value)
    if text.startswith(_copies() + os.sep):
        return RemotePath(text)
    if isinstance(value, Path) and text.endswith(":") and not os.path.exists(text) and _is_remote(text[:-1].lower()):
        value = text = f"{text}//"  # which `Path` has taken off
    if _CHAINED.fullmatch(text) and not os.path.exists(text):
        shown = without_credentials(re.sub(":/+", "://", text))
        raise InputError(f"{shown}: URLs in one another are not read; give the last one alone")
    found = _URL.fullmatch(text) if is_url(value) else None
    if found is None:  # a text with one slash is no URL, and has to stay none as a path
        return Path(os.path.abspath(text)) if isinstance(value, str) and _is_path_like_url(text) else Path(value)
    scheme, rest = found["scheme"].lower(), found["rest"]
    if scheme in _LOCAL:
        return Path("/", rest) if os.name != "nt" else Path(rest)
    query = ""
    if scheme in _WITH_QUERY:
        rest, _, query = rest.partition("?")
    given, *names = rest.strip("/").split("/")
    host = _shown_host(scheme, given, "/".join(names))
    path = RemotePath(os.path.join(_copies(), scheme, host, *names))
    if not host or host.endswith("@") or ".." in names or (scheme in _BUCKETS and ":///" in text):
        raise InputError(
            f"{path if host else f'{scheme}://'}: is not the URL of a file or folder; give HOST/NAME after {scheme}://"
        )
    if "" in names:
        raise InputError(f"{path}: is given with '//' in its name, which no path can have; rename it there")
    if host != given:
        _users[f"{scheme}://{host}"] = given
    if query:
        _queries[str(path)] = f"?{query}"
    return path


def _is_path_like_url(text: str) -> bool:
    found = _URL.fullmatch(text)
    return found is not None and found["scheme"].lower() not in _NOT_REMOTE and "://" not in text


def _shown_host(scheme: str, host: str, names: str) -> str:
    """What a URL's host, with the user before it, is shown as, and its copies are filed under: without what is secret.

    Raises:
        InputError: There are credentials where they are not read, or it can't be told where they end.
    """
    url = f"{scheme}://{host}/{names}"
    if scheme == _USER_AND_REPOSITORY:
        return host
    user, at, bare = host.rpartition("@")
    has_slash = "@" in names and host.count(":") == 1 and not _PORT.fullmatch(bare[bare.find(":") :])
    if scheme in _BUCKETS and (at or has_slash or _PARAMETER.search(names)):
        shown = f"{scheme}://{url.rpartition('@')[2]}" if at or has_slash else url
        shown = _PARAMETER.split(shown)[0]
        raise InputError(f"{shown}: credentials are no part of such a URL; give them in the environment")
    if has_slash or (":" in user and "@" in names):
        raise InputError(
            f"{without_credentials(url)}: it can't be told where the password ends; give '/' as %2F, and '@' as %40"
        )
    if scheme not in _WITH_QUERY and _PARAMETER.search(names):
        raise InputError(f"{without_credentials(url)}: a query is no part of such a URL; give it in the environment")
    user = "" if scheme in _WITH_QUERY else user.partition(":")[0]
    return f"{user}@{bare}" if user else bare


def path_of(url: str) -> RemotePath:
    """The path that a `RemotePath` is shown as."""
    scheme, _, rest = url.partition("://")
    return RemotePath(os.path.join(_copies(), scheme, rest))


def full_url(path: RemotePath) -> str:
    """The URL with the credentials that it was given with: never for messages or records."""
    url = str(path)
    scheme, _, rest = url.partition("://")
    host, slash, names = rest.partition("/")
    return f"{scheme}://{_users.get(f'{scheme}://{host}', host)}{slash}{names}{_queries.get(url, '')}"


def without_credentials(text: str) -> str:
    """A text in which URLs have no passwords and no queries, and local copies are named by their URLs."""
    if (copies := _copies() + os.sep) in text:
        named = re.compile(re.escape(copies) + r"([^/\s]+)/")
        text = named.sub(r"\1://", text)
    if ":/" not in text:
        return text
    for secret, shown in _SECRETS:
        text = secret.sub(shown, text)
    return text
