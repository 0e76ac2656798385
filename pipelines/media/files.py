"""Media as files of a folder or members of a zip."""

import os
import zipfile
from functools import partial
from pathlib import Path

from pipelines.artifacts.chunks import ChunkPlaces
from pipelines.artifacts.listing import as_utf8, folder_files, zip_members
from pipelines.media.blobs import Blobs, PerProcess
from pipelines.media.chunked import open_places
from pipelines.media.finding import candidates, find_with_chunks, require_found
from pipelines.media.listing import MediaList

_LARGE_MEMBER, _BOMB_RATIO = 256 * 2**20, 100


class FileBlobs:
    """Files on disk.

    Args:
        paths: Path of each medium's file.
        root: The folder they are in, for messages; None to name the file.
    """

    def __init__(self, paths: list[str], root: str | None = None) -> None:
        self._paths = paths
        self._root = root

    def get(self, row: int) -> Path:
        """Where a medium's file is."""
        return Path(self._paths[row])

    def where(self, row: int) -> str:
        """The folder, or the file."""
        return self._root or self._paths[row]

    def name(self, row: int) -> str:
        """The file."""
        return self._paths[row]


class ZipBlobs:
    """Members of a zip.

    Args:
        path: The zip.
        members: Name of each medium's member.
    """

    def __init__(self, path: Path, members: list[str]) -> None:
        self._path = path
        self._members = members
        self._archive = PerProcess(partial(zipfile.ZipFile, path))

    def get(self, row: int) -> bytes:
        """The content of a medium's member.

        Raises:
            OSError, ValueError: It can't be read.
        """
        try:
            archive = self._archive.get()
            info = archive.getinfo(self._members[row])
            if info.file_size > _LARGE_MEMBER and info.file_size > _BOMB_RATIO * info.compress_size:
                raise ValueError(f"{info.compress_size:,} bytes that unpack to {info.file_size:,}, as in a zip bomb")
            return archive.read(info)
        except Exception as error:  # zlib.error, BadZipFile, RuntimeError (encrypted), NotImplementedError (method)
            raise ValueError(str(error)) from error

    def where(self, row: int) -> str:
        """The zip."""
        return str(self._path)

    def name(self, row: int) -> str:
        """The member."""
        return self._members[row]


def open_folder(root: Path, media: MediaList, suffixes: tuple[str, ...]) -> Blobs:
    """Find media in a folder: by path below it, else among all files below it, see `find_with_chunks`.

    Raises:
        InputError: Media are missing, or two files have the name of one.
    """
    direct = [_direct(root, media, row) for row in range(len(media))]
    lost = [row for row, name in enumerate(direct) if name is None]
    names = [listed.name for listed in folder_files(root)] if lost else []
    in_listing = iter(find_with_chunks(media.select([media.ids[row] for row in lost]), names, suffixes, str(root)))
    places: list[int | ChunkPlaces | None] = []
    for name in direct:
        places.append(next(in_listing) if name is None else len(names))
        names += [] if name is None else [name]
    found = require_found(str(root), media, places, iter(names))
    return open_places(found, lambda files: FileBlobs([os.fspath(root / names[place]) for place in files], str(root)))


def open_zip(path: Path, media: MediaList, suffixes: tuple[str, ...]) -> Blobs:
    """Find media in a zip, see `find_with_chunks`.

    Raises:
        InputError: The zip is missing or damaged, media are missing there, or two members have the name of one.
    """
    names = [member.name for member in zip_members(path)]
    places = find_with_chunks(media, [as_utf8(name) for name in names], suffixes, str(path))
    found = require_found(str(path), media, places, iter(names))
    return open_places(found, lambda files: ZipBlobs(path, [names[place] for place in files]))


def _direct(root: Path, media: MediaList, row: int) -> str | None:
    """The path of a medium's file below a folder, where one of its names is one."""
    return next((name for name in candidates(media, row) if os.path.isfile(root / name)), None)
