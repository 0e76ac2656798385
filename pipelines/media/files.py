"""Media as files of a folder or members of a zip."""

import os
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.artifacts.listing import as_utf8, folder_files, zip_members
from pipelines.media.blobs import PerProcess
from pipelines.media.finding import candidates, find, refuse_missing
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


def open_folder(root: Path, media: MediaList, suffixes: tuple[str, ...]) -> FileBlobs:
    """Find media in a folder: by path below it, else among all files below it, see `find`.

    Raises:
        InputError: Media are missing, or two files have the name of one.
    """
    paths: list[str | None] = []
    for row in range(len(media)):
        tried = (os.fspath(root / name) for name in candidates(media, row))
        paths.append(next((path for path in tried if os.path.isfile(path)), None))
    lost = [row for row, path in enumerate(paths) if path is None]
    if lost:
        names = [listed.name for listed in folder_files(root)]
        places = find(media.select([media.ids[row] for row in lost]), names, suffixes, str(root))
        refuse_missing(str(root), media, [lost[row] for row in np.flatnonzero(places < 0)], iter(names))
        for row, place in zip(lost, places, strict=True):
            paths[row] = os.fspath(root / names[place])
    return FileBlobs([path for path in paths if path is not None], str(root))


def open_zip(path: Path, media: MediaList, suffixes: tuple[str, ...]) -> ZipBlobs:
    """Find media in a zip, see `find`.

    Raises:
        InputError: The zip is missing or damaged, media are missing there, or two members have the name of one.
    """
    names = [member.name for member in zip_members(path)]
    places = find(media, [as_utf8(name) for name in names], suffixes, str(path))
    refuse_missing(str(path), media, np.flatnonzero(places < 0), iter(names))
    return ZipBlobs(path, [names[place] for place in places])
