"""Files of media by row, whatever they lie in, and finding each medium's by name."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.places import Place
from pipelines.errors import InputError
from pipelines.media.listing import MediaList

_SHOWN = 3
_Handle = TypeVar("_Handle")


class Blobs(Protocol):
    """The files of m media."""

    def get(self, row: int) -> bytes | Path:
        """The content of a medium's file, or where that lies on disk by itself.

        Raises:
            OSError, ValueError: It can't be read; says why.
        """

    def where(self, row: int) -> str:
        """What a medium's file lies in, for messages."""

    def name(self, row: int) -> str:
        """Name of a medium's file, whose suffix says what it is; empty where it has none."""


class PerProcess(Generic[_Handle]):
    """A handle that each process opens by itself, since processes share the place in a file they inherit open.

    Args:
        open_handle: Opens it; has to be picklable.
    """

    def __init__(self, open_handle: Callable[[], _Handle]) -> None:
        self._open = open_handle
        self._owner: int | None = None
        self._handle: _Handle | None = None

    def get(self) -> _Handle:
        """This process's handle."""
        if self._handle is None or self._owner != os.getpid():
            self._handle, self._owner = self._open(), os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, object]:
        return {"_open": self._open, "_owner": None, "_handle": None}


def candidates(media: MediaList, row: int) -> list[str]:
    """Names a medium's file may have in a folder or archive: its id, or its relative path or member name."""
    names = [media.ids[row]]
    if media.places is not None and (text := media.places[row]):
        with contextlib.suppress(InputError):  # a URL, which says nothing of names here
            place = Place.parse(text)
            names.append(place.member or place.path)
    return [_plain(name) for name in names if not PurePosixPath(name).is_absolute()]


def find(media: MediaList, names: Sequence[str], suffixes: tuple[str, ...], where: str) -> NDArray[np.int64]:
    """Where in a list of file names each medium stands; -1 where it isn't there.

    A medium is looked up by id, then by the path its annotations give, then by its video's id or its own as the file
    name without suffix, with or without folders.

    Args:
        media: The media.
        names: Paths in a folder, or members of an archive or of several.
        suffixes: What the files of such media end in, for names without suffix.
        where: The folder or archive, for messages.

    Raises:
        InputError: Two files have the name of a medium.
    """
    exact = _Names(((_plain(name), place) for place, name in enumerate(names)), names, where)
    rows = np.array([exact.first(candidates(media, row)) for row in range(len(media))], dtype=np.int64)
    if (rows < 0).any():
        keys = _Names(_keys(names, suffixes), names, where)
        for row in np.flatnonzero(rows < 0):
            video_id = None if media.video_ids is None else media.video_ids[row]
            rows[row] = keys.first([name for name in (video_id, media.ids[row]) if name])
    return rows


class _Names:
    """Places of names in a list; a name that is there twice is refused when it is asked for."""

    def __init__(self, named: Iterable[tuple[str, int]], names: Sequence[str], where: str) -> None:
        self._place: dict[str, int] = {}
        self._second: dict[str, int] = {}
        self._names, self._where = names, where
        for name, place in named:
            if self._place.setdefault(name, place) != place:
                self._second[name] = place

    def first(self, candidates: list[str]) -> int:
        """Place of the first name that is there, or -1."""
        for name in candidates:
            if name in self._second:
                both = f"{self._names[self._place[name]]} and {self._names[self._second[name]]}"
                raise InputError(f"{self._where}: two media have the name {name}: {both}; leave one of them")
            if name in self._place:
                return self._place[name]
        return -1


def _keys(names: Sequence[str], suffixes: tuple[str, ...]) -> Iterable[tuple[str, int]]:
    for place, name in enumerate(names):
        path = PurePosixPath(_plain(name))
        if path.suffix.lower() in suffixes:
            yield str(path.with_suffix("")), place
            if len(path.parts) > 1:
                yield path.stem, place


def _plain(name: str) -> str:
    return str(PurePosixPath(name))


def refuse_missing(where: str, media: MediaList, rows: Sequence[int] | NDArray[np.int64]) -> None:
    """Refuse media that aren't there.

    Raises:
        InputError: There are such rows; says how many and which first.
    """
    if len(rows):
        first = ", ".join(media.ids[row] for row in rows[:_SHOWN])
        raise InputError(f"{where}: {len(rows)} of {len(media)} media are missing there, first: {first}")
