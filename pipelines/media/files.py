"""Media as files of a folder or members of a zip."""

import os
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.artifacts.files import require_file
from pipelines.artifacts.places import VIDEO_SUFFIXES
from pipelines.errors import InputError
from pipelines.media.blobs import PerProcess, candidates, find, refuse_missing
from pipelines.media.listing import MediaList


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
            return self._archive.get().read(self._members[row])
        except Exception as error:  # zlib.error, BadZipFile, RuntimeError (encrypted), NotImplementedError (method)
            raise ValueError(str(error)) from error

    def where(self, row: int) -> str:
        """The zip."""
        return str(self._path)

    def name(self, row: int) -> str:
        """The member."""
        return self._members[row]


def open_folder(root: Path, media: MediaList, suffixes: tuple[str, ...]) -> FileBlobs:
    """Find media in a folder: by path below it; videos by file name without suffix at any depth as well.

    Raises:
        InputError: Media are missing, or two files have a video's name.
    """
    paths: list[str | None] = []
    for row in range(len(media)):
        names = candidates(media, row)
        paths.append(next((str(root / name) for name in names if (root / name).is_file()), None))
    lost = [row for row, path in enumerate(paths) if path is None]
    if lost and suffixes == VIDEO_SUFFIXES:
        names = sorted(
            str(Path(folder, file).relative_to(root)) for folder, _, files in os.walk(root) for file in files
        )
        places = find(media, names, suffixes, str(root))
        for row in lost:
            paths[row] = None if places[row] < 0 else str(root / names[places[row]])
    refuse_missing(str(root), media, [row for row, path in enumerate(paths) if path is None])
    return FileBlobs([path for path in paths if path is not None], str(root))


def zip_members(path: Path) -> list[str]:
    """Names of the members of a zip.

    Raises:
        InputError: It is missing or damaged.
    """
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path}: not a whole zip archive ({error})") from error


def open_zip(path: Path, media: MediaList, suffixes: tuple[str, ...]) -> ZipBlobs:
    """Find media in a zip.

    Raises:
        InputError: The zip is missing or damaged, media are missing there, or two members have a medium's name.
    """
    names = zip_members(path)
    places = find(media, names, suffixes, str(path))
    refuse_missing(str(path), media, np.flatnonzero(places < 0))
    return ZipBlobs(path, [names[place] for place in places])
