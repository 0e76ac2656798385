"""What is done to remote files, through fsspec: list, get, put and remove whole ones; faults in one line."""

import contextlib
import errno
import logging
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.remote.paths import RemotePath, cache_folder, full_url, without_credentials

_WILDCARD = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{[^{}]*\}")  # of shards, as in {000..099}: a pattern that takes in all of them, and maybe more
_PAGES = ("http://", "https://")  # which have no listings
# Whose puts take the place of an object at once. On other systems a file is put beside it and renamed.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "r2", "hf", "memory"}
# What a listing says that changes with the content; the first that is there counts.
_VERSIONS = (
    *("ETag", "etag", "generation", "md5Hash", "content_md5", "blob_id", "sha256", "Content-MD5", "Digest"),
    *("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "created"),
)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_TALKATIVE = ("fsspec", "s3fs", "gcsfs", "adlfs", "botocore", "aiobotocore", "aiohttp", "asyncio")
_NOWHERE = logging.NullHandler()
_NO_BUCKET = re.compile(r"NoSuchBucket|specified bucket (does not|doesn't) exist|no such bucket", re.IGNORECASE)
_SHOWN = 100


@dataclass(frozen=True)
class Remote:
    """A remote file.

    Attributes:
        size: Bytes; 0 where the server doesn't say.
        version: What changes with its content; empty where nothing does.
    """

    size: int
    version: str


def version_of(info: dict[str, Any]) -> str:
    """What of a file's entry in a listing changes with its content; empty where nothing does."""
    found = next(((name, info[name]) for name in _VERSIONS if info.get(name) is not None), None)
    if found is None:
        return ""
    name, value = found
    # A backend may tell the same moment in one way of one file and in another of several.
    return f"{name} {value.timestamp() if isinstance(value, datetime) else value}"


def listing(path: RemotePath) -> dict[RemotePath, Remote]:
    """The files that a URL stands for: one, those below a folder, or those that a pattern matches; hidden ones not.

    Raises:
        InputError: The server can't be asked, or there is no such bucket.
    """
    with _explaining(path):
        system, name = _system(path)
        system.invalidate_cache()
        found = _found(system, name, path)
    if nameless := next((place for place in found if "//" in place.removeprefix(name).strip("/")), None):
        raise InputError(f"{path}: holds {nameless}, and no path can have '//' in its name; rename it there")
    return {
        where: Remote(int(info.get("size") or 0), version_of(info))
        for place, info in found.items()
        if info.get("type", "file") == "file"
        and not place.endswith("/")
        and not is_hidden(where := _named(path, name, place), path)
    }


def kind(path: RemotePath) -> str | None:
    """What a URL stands for, ``file`` or ``directory``, without a list of what is in it; None for nothing.

    Raises:
        InputError: The server can't be asked, or there is no such bucket.
    """
    with _explaining(path):
        system, name = _system(path)
        system.invalidate_cache()
        try:
            return str(system.info(name)["type"])
        except FileNotFoundError as error:
            _require_absence(error)
            return None


def _found(system: Any, name: str, path: RemotePath) -> dict[str, dict[str, Any]]:
    try:
        if str(path).startswith(_PAGES):
            return {name: system.info(name)}
        pattern = pattern_of(name)
        if _WILDCARD.search(pattern) and (matched := system.glob(pattern, detail=True)):
            return dict(matched)
        return dict(system.find(name, detail=True))
    except FileNotFoundError as error:
        _require_absence(error)
        return {}


def _require_absence(error: FileNotFoundError) -> None:
    """Raise again what means more than that there is no such file."""
    is_fault = _status(error) not in (None, 404, 410)  # fsspec calls whatever a page's server says "not found"
    if is_fault or _NO_BUCKET.search(str(error)) or "Connect" in type(error.__cause__).__name__:
        raise error


def _status(error: Exception) -> int | None:
    """The HTTP status that a fault of a page comes from."""
    status = getattr(error.__cause__, "status", None) or getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _named(path: RemotePath, name: str, place: str) -> RemotePath:
    """The path of a file of a listing: what it has in common with the name that was listed stands in the path too."""
    if place == name:
        return path
    names, places = name.strip("/").split("/"), place.strip("/").split("/")
    same = next((at for at, pair in enumerate(zip(names, places, strict=False)) if pair[0] != pair[1]), len(names))
    return type(path)(*path.parts[: len(path.parts) - (len(names) - same)], *places[same:])


def pattern_of(name: str) -> str:
    """A name with wildcards alone: one for each ``{000..099}``, which takes in all that it stands for."""
    return _BRACES.sub("*", name)


def folder_of(path: RemotePath) -> RemotePath:
    """The longest beginning of a path that has no wildcard."""
    names = path.parts
    first = next((at for at, name in enumerate(names) if _WILDCARD.search(pattern_of(name))), len(names))
    return type(path)(*names[:first])


def is_hidden(path: Path, below: Path) -> bool:
    """Whether a name below a folder begins with a dot: locks, and what is half written."""
    text, folder = os.fspath(path), os.fspath(below) + os.sep  # as text, since there may be a million
    names = text.removeprefix(folder) if text.startswith(folder) else path.name
    return f"{os.sep}." in f"{os.sep}{names}"


def get(files: Sequence[tuple[RemotePath, Path]]) -> None:
    """Fetch files, several at once, each to a place here.

    Raises:
        InputError: One can't be fetched.
    """
    with _explaining(files[0][0]):
        system, _ = _system(files[0][0])
        names = [_system(path)[1] for path, _ in files]
        system.get(names, [str(place) for _, place in files])


def require_puts(path: RemotePath) -> None:
    """Check that files can be put to a URL of this kind at all.

    Raises:
        InputError: They can only be read.
    """
    if str(path).startswith(_PAGES):
        raise InputError(f"{path}: can't be written, since pages can only be read; choose another output path")


def put(path: RemotePath) -> str:
    """Make the remote file what the local copy is, at once: whoever reads it meanwhile gets the old or the new.

    Returns:
        The version that it has now; an empty one where somebody else has put another file since.

    Raises:
        InputError: It can't be put; the remote file is as it was.
    """
    with _explaining(path):
        system, name = _system(path)
        size = path.stat().st_size
        if _OBJECT_STORES.intersection(_protocols(system)):
            system.put_file(path.__fspath__(), name)
        else:
            _put_and_rename(system, path.__fspath__(), name)
        system.invalidate_cache()
        info = system.info(name)
        return version_of(info) if info.get("size") in (None, size) else ""


def _put_and_rename(system: Any, source: str, name: str) -> None:
    folder, _, last = name.rpartition("/")
    temporary = f"{folder}/.{last}.{secrets.token_hex(4)}.tmp"
    system.makedirs(folder, exist_ok=True)
    try:
        system.put_file(source, temporary)
        system.mv(temporary, name)
    except BaseException:
        with contextlib.suppress(Exception):  # the fault that led here is the one to tell of
            system.rm_file(temporary)
        raise


def remove(path: RemotePath) -> None:
    """Remove a remote file, where there is one.

    Raises:
        InputError: It can't be removed.
    """
    with _explaining(path):
        system, name = _system(path)
        with contextlib.suppress(FileNotFoundError):
            system.rm_file(name)


def _system(path: RemotePath) -> tuple[Any, str]:
    """The file system of a URL, and the name of the file there."""
    import fsspec

    for name in _TALKATIVE:  # what they log is seen where somebody asks for it, and not on stderr as it comes
        logging.getLogger(name).addHandler(_NOWHERE)
    return fsspec.core.url_to_fs(full_url(path))  # type: ignore[no-any-return]  # fsspec has no types


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


@contextlib.contextmanager
def _explaining(path: RemotePath) -> Iterator[None]:
    """Make one line of whatever a backend raises: each has errors of its own."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {_reason(path, error)}") from error


def _reason(path: RemotePath, error: Exception) -> str:
    scheme = str(path).partition("://")[0]
    kind = type(error).__name__
    said = " ".join(without_credentials(str(error)).split())[:_SHOWN] or kind
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"its copy has no room in {cache_folder()}; name another folder by MMTS_CACHE"
    if isinstance(error, ImportError):
        extra = _EXTRAS.get(scheme)
        remedy = f"pip install 'mmts[{extra}]'" if extra else said
        return f"a package for {scheme}:// is missing; {remedy}"
    if isinstance(error, ValueError) and "protocol" in str(error).lower():
        return f"{scheme}:// is of no kind that fsspec knows; give a path, or a URL such as s3://BUCKET/NAME"
    if (status := _status(error)) is not None and scheme in ("http", "https"):
        if status in (401, 403):
            return f"not allowed ({status}); check the credentials, or whether the URL's signature has expired"
        return f"the server {'has an error' if status >= 500 else 'refuses'} ({status}); try again, or look there"
    if isinstance(error, FileNotFoundError) and _NO_BUCKET.search(said):
        return "there is no such bucket; make it first"
    if "Credentials" in kind:
        return "no credentials were found; set them as for other tools (for s3:// AWS_PROFILE, or AWS_ACCESS_KEY_ID)"
    if isinstance(error, PermissionError) or "Auth" in kind:
        return f"access denied ({said}); check the credentials and their rights"
    kinds = f"{kind} {type(error.__cause__).__name__}"
    if isinstance(error, (ConnectionError, TimeoutError)) or "Connect" in kinds or "Timeout" in kinds:
        return "the server doesn't answer; check the network, the endpoint and the name"
    return f"can't be read or written there ({said}); try again, or look into the store"
