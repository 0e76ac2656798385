"""What lies in a folder, a zip or a tar: names, sizes and checksums, each read once in a process.

Nothing is ever unpacked to disk. Archives whose members' names lead out of a folder are refused all the same.
"""

import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pipelines.artifacts.files import require_file
from pipelines.artifacts.ids import shortened
from pipelines.errors import InputError

_MOST_FILES = 50_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a folder, or a member of an archive.

    Attributes:
        name: Its name as it is stored, with the folders below the root.
        size: Bytes, uncompressed.
        check: What changes with its content: a zip's CRC-32, the checksum of a tar's header (which covers the time of
            change), a file's time of change in nanoseconds.
        offset: Where a tar member's content begins; 0 elsewhere.
    """

    name: str
    size: int
    check: int
    offset: int = 0


def plain(name: str) -> str:
    """A name as names are compared: composed Unicode (a Mac stores it decomposed), slashes, no ``./`` in front."""
    return str(PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/"))))


def as_utf8(name: str) -> str:
    """The name of a zip's member as a Mac means it, whose zips don't say that names are UTF-8."""
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def leads_out(name: str) -> bool:
    """Whether a name is absolute, on Windows too, or goes up."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or any(part.endswith(":") for part in path.parts[:1])


def is_rubbish(name: str) -> bool:
    """Whether a name is one that systems leave behind: ``__MACOSX/``, ``._a.jpg``, hidden files and folders."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(plain(name)).parts)


def folder_files(root: Path) -> Iterator[Listed]:
    """The files below a folder in the order of their names, through symbolic links; hidden ones are left out.

    Raises:
        InputError: A folder can't be read, or there are more files than any data set has; or it is the root of the file
            system, which nobody means.
    """
    if root.resolve().parent == root.resolve():
        raise InputError(f"{root}: is the root of the file system; give the folder of the media")
    for count, listed in enumerate(_below(root, "", frozenset()), start=1):
        if count > _MOST_FILES:
            raise InputError(f"{root}: has more than {_MOST_FILES:,} files; give the folder of the media alone")
        yield listed


def _below(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Listed]:
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in above:  # a link to a folder that this one lies in
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: can't be read ({error.strerror}); give yourself the right to read it") from error
    inside = above | {(stat.st_dev, stat.st_ino)}
    for entry in entries:
        if is_rubbish(entry.name):
            continue
        if entry.is_dir():
            yield from _below(Path(entry.path), f"{prefix}{entry.name}/", inside)
        elif entry.is_file():
            stat = entry.stat()
            yield Listed(prefix + entry.name, stat.st_size, stat.st_mtime_ns)


def zip_members(path: Path) -> list[Listed]:
    """The files of a zip, from its index.

    Raises:
        InputError: It is missing or damaged, or a member's name leads out of it.
    """
    require_file(path)
    return _zip_members(path, *_state(path))


@lru_cache(maxsize=64)
def _zip_members(path: Path, size: int, modified: int) -> list[Listed]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # besides BadZipFile whatever a damaged index leads to: struct.error, UnicodeDecodeError
        raise InputError(f"{path}: not a complete zip archive ({_reason(error)}); copy or make it again") from error
    members = [Listed(each.filename, each.file_size, each.CRC) for each in infos if not each.is_dir()]
    return _inside(path, members)


def tar_members(path: Path) -> list[Listed]:
    """The files of an uncompressed tar, from its headers.

    Raises:
        InputError: It is missing, damaged or compressed, or a member's name leads out of it.
    """
    require_file(path)
    return _tar_members(path, *_state(path))


@lru_cache(maxsize=65_536)
def _tar_members(path: Path, size: int, modified: int) -> list[Listed]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = [
                Listed(each.name, each.size, each.chksum, each.offset_data)
                for each in archive
                if each.isreg() and not each.issparse()
            ]
    except (tarfile.TarError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a complete, uncompressed tar archive ({_reason(error)}); unpack a compressed one with gunzip"
        ) from error
    return _inside(path, members)


def _inside(path: Path, members: list[Listed]) -> list[Listed]:
    for member in members:
        if leads_out(member.name):
            raise InputError(
                f"{path}: the name of member {shortened(member.name)} leads out of the archive; make it again with "
                "relative names"
            )
    return [member for member in members if not is_rubbish(member.name)]


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__
