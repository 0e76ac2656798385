"""Videos in chunks, in one list with media that are a file each."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from pipelines.artifacts.chunks import ChunkPlaces
from pipelines.media.blobs import Blobs, Chunk, Chunks, Content


class ChunkedBlobs:
    """Media of which some are videos in chunks.

    Args:
        files: All files, those of a video one after another.
        first: Row of each medium's first file.
        begins_s: Where each chunk of a medium begins in its video; None for a medium in one file.
    """

    def __init__(self, files: Blobs, first: Sequence[int], begins_s: Sequence[Sequence[float] | None]) -> None:
        self._files, self._first, self._begins_s = files, first, begins_s

    def get(self, row: int) -> Content | Chunks:
        """The content of a medium's file, or its chunks, none of which is read yet.

        Raises:
            OSError, ValueError: It can't be read.
        """
        first, begins_s = self._first[row], self._begins_s[row]
        if begins_s is None:
            return self._files.get(first)
        return tuple(
            Chunk(begin_s, PurePosixPath(self._files.name(first + number)).name, partial(self._read, first + number))
            for number, begin_s in enumerate(begins_s)
        )

    def where(self, row: int) -> str:
        """What a medium's file lies in; of a video in chunks their folder."""
        first = self._first[row]
        where = self._files.where(first)
        if self._begins_s[row] is None:
            return where
        folder = os.path.dirname(self._files.name(first))
        return folder if folder.startswith(where) or where == self._files.name(first) else f"{where}: {folder}"

    def name(self, row: int) -> str:
        """The file, or the first chunk."""
        return self._files.name(self._first[row])

    def _read(self, row: int) -> Content:
        content = self._files.get(row)
        assert not isinstance(content, tuple)  # the files themselves are not in chunks
        return content


def in_seconds(chunks: Chunks, chunk_seconds: float) -> Chunks:
    """Chunks of one length, named by the second at which each begins or by their number, counted from 0.

    Names are seconds where all are multiples of the length, otherwise numbers.

    Args:
        chunks: The chunks of a video, which begin where their names say.
        chunk_seconds: The length.

    Raises:
        ValueError: A name is neither a multiple of the length nor a whole number; names the chunk.
    """
    if all(chunk.begins_s % chunk_seconds == 0 for chunk in chunks):
        return chunks
    for chunk in chunks:
        if chunk.begins_s % 1:
            raise ValueError(f"{chunk.name} begins at no multiple of --chunk-seconds {chunk_seconds:g}; correct that")
    return tuple(replace(chunk, begins_s=chunk.begins_s * chunk_seconds) for chunk in chunks)


def ends_early(chunk: Chunk, end_s: float, after: Chunk) -> bool:
    """Whether a chunk that ends at ``end_s`` ends well before the next begins, so that one is missing between."""
    return after.begins_s - end_s > _share(chunk, end_s)


def require_order(chunk: Chunk, end_s: float, after: Chunk) -> None:
    """Check that a chunk that ends at ``end_s`` doesn't go on well after the next begins.

    Raises:
        ValueError: It does, as where chunks are numbered.
    """
    if end_s - after.begins_s > _share(chunk, end_s):
        remedy = "name chunks by their first second, or give --chunk-seconds"
        raise ValueError(f"{chunk.name} goes on beyond {after.name}; {remedy}")


def _share(chunk: Chunk, end_s: float) -> float:
    """By how much a chunk may end before or after the next begins: cuts are made at keyframes."""
    return (end_s - chunk.begins_s) / 2


def open_places(places: Sequence[int | ChunkPlaces], open_files: Callable[[list[int]], Blobs]) -> Blobs:
    """Open media where they were found in a list of names.

    Args:
        places: Place of each medium's file, or its chunks; media of one video share a list.
        open_files: Opens files, by their places.
    """
    flat: list[int] = []
    first: list[int] = []
    begins_s: list[list[float] | None] = []
    known: dict[int, int] = {}
    seconds: dict[int, list[float]] = {}
    for place in places:
        if isinstance(place, int):
            first.append(len(flat))
            begins_s.append(None)
            flat.append(place)
            continue
        if id(place) not in known:
            known[id(place)] = len(flat)
            seconds[id(place)] = [begin_s for begin_s, _ in place]
            flat += [number for _, number in place]
        first.append(known[id(place)])
        begins_s.append(seconds[id(place)])
    files = open_files(flat)
    return ChunkedBlobs(files, first, begins_s) if known else files
