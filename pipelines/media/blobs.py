"""Files of media by row, whatever they lie in."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

_Handle = TypeVar("_Handle")
Content = bytes | Path


@dataclass(frozen=True)
class Chunk:
    """One of the files that a video was cut into.

    Attributes:
        begins_s: Where in the video it begins, in seconds.
        name: Its name.
        read: Gives its content, or where that lies on disk by itself.
    """

    begins_s: float
    name: str
    read: Callable[[], Content]


Chunks = tuple[Chunk, ...]


class Blobs(Protocol):
    """The files of m media."""

    def get(self, row: int) -> Content | Chunks:
        """The content of a medium's file, or where that lies on disk by itself; of a video in chunks, all of them.

        Raises:
            OSError, ValueError: It can't be read; says why.
        """

    def where(self, row: int) -> str:
        """What a medium's file lies in, for messages."""

    def name(self, row: int) -> str:
        """Name of a medium's file, whose suffix says what it is; empty where it has none."""


def read_whole(content: Content | Chunks) -> bytes:
    """The bytes of a medium that is one file.

    Raises:
        OSError, ValueError: It can't be read, or is a video in chunks.
    """
    if isinstance(content, tuple):
        raise ValueError("it is a video in chunks, not an image")
    return content.read_bytes() if isinstance(content, Path) else content


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
