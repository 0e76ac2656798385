"""Media where the annotations' column ``media`` says."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.artifacts import fingerprint_of, open_parquet
from pipelines.artifacts.chunks import ChunkPlaces, chunk_folders, chunks_in, require_one_a_second
from pipelines.artifacts.ids import shortened
from pipelines.artifacts.listing import tar_members, zip_members
from pipelines.artifacts.places import Place
from pipelines.artifacts.provenance import fingerprint_of_files
from pipelines.errors import InputError
from pipelines.media.blobs import Blobs, Chunks, Content
from pipelines.media.chunked import open_places
from pipelines.media.errors import MissingMediaError
from pipelines.media.files import FileBlobs, ZipBlobs
from pipelines.media.listing import MediaList
from pipelines.media.tars import TarBlobs, members_of
from pipelines.remote import as_path, fetch, is_url, located

_SHOWN = 2


class LinkedBlobs:
    """Media where the annotations' column ``media`` says: files, members of zips and tars, and folders of chunks.

    Args:
        media: The media.

    Raises:
        InputError: The annotations have no such column; media are missing; an archive is damaged.
    """

    def __init__(self, media: MediaList) -> None:
        if media.places is None:
            raise InputError(f"{media.source}: has no column 'media'; give --media the folder or archive of the media")
        places = [None if text is None else Place.parse(text) for text in media.places]
        _fetch_folders([place for place in places if place is not None])
        by_archive: dict[tuple[str | None, str], list[int]] = {}
        for row, place in enumerate(places):
            if place is not None:
                key = (place.scheme, "" if place.scheme is None else place.path)
                by_archive.setdefault(key, []).append(row)
        self._parts: list[Blobs] = []
        self._part_of_row = np.full(len(media), -1, dtype=np.int32)
        self._row_in_part = np.zeros(len(media), dtype=np.int64)
        for (scheme, archive), rows in by_archive.items():
            found, part = _open_part(scheme, located(archive), rows, places)
            self._part_of_row[found] = len(self._parts)
            self._row_in_part[found] = np.arange(len(found))
            self._parts.append(part)
        _refuse_missing(media, np.flatnonzero(self._part_of_row < 0).tolist())

    def get(self, row: int) -> Content | Chunks:
        """The content of a medium's file, or where it lies; of a video in chunks, all of them.

        Raises:
            OSError, ValueError: It can't be read.
        """
        part, inner = self._find(row)
        return part.get(inner)

    def where(self, row: int) -> str:
        """The file, or the archive."""
        part, inner = self._find(row)
        return part.where(inner)

    def name(self, row: int) -> str:
        """The file or member."""
        part, inner = self._find(row)
        return part.name(inner)

    def _find(self, row: int) -> tuple[Blobs, int]:
        return self._parts[self._part_of_row[row]], int(self._row_in_part[row])


def linked_parameters(media: Path | None, annotations: Path) -> dict[str, str]:
    """What a stage's fingerprint has to hold besides its inputs where ``--media annotations`` says where media are.

    Args:
        media: Where media are; None where the annotations' column ``media`` says it.
        annotations: The annotations.

    Returns:
        A hash of the files and archives that the column names; nothing where ``media`` is given, which is an input.

    Raises:
        InputError: The annotations can't be read, or an archive is damaged.
    """
    if media is not None:
        return {}
    with open_parquet(annotations) as file:
        if "media" not in file.schema_arrow.names:
            return {}
        texts = file.read(columns=["media"]).column("media").unique().drop_null().to_pylist()
    places = [Place.parse(str(text)) for text in texts]
    _fetch_folders(places)
    archives = sorted({place.path for place in places if place.scheme is not None})
    whole = [f"{name}\0{fingerprint_of(located(name))}" for name in archives]
    names = _on_disk([place.path for place in places if place.scheme is None])[0]
    files = fingerprint_of_files([(name, as_path(name)) for name in names])
    text = "\n".join([files, *whole])
    return {"media_places": hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]}


def _fetch_folders(places: Sequence[Place]) -> None:
    """Fetch the folders of files that are named by URL; an archive is fetched alone."""
    for folder in {as_path(place.path).parent for place in places if place.scheme is None and is_url(place.path)}:
        fetch(folder)


def _open_part(
    scheme: str | None, archive: Path, rows: list[int], places: list[Place | None]
) -> tuple[list[int], Blobs]:
    """The rows that are there, and their files."""
    named = {row: place for row in rows if (place := places[row]) is not None}
    if scheme is None:
        names, there = _on_disk([place.path for place in named.values()])
    else:
        names = [member.name for member in (zip_members if scheme == "zip" else tar_members)(archive)]
        there = {**chunk_folders(names), **{name: number for number, name in enumerate(names)}}

    def opened(files: list[int]) -> Blobs:
        chosen = [names[number] for number in files]
        if scheme == "tar":
            members = {member[3]: member for member in members_of(archive)}
            return TarBlobs([members[name] for name in chosen])
        if scheme == "zip":
            return ZipBlobs(archive, chosen)
        return FileBlobs([os.fspath(as_path(name)) for name in chosen])

    found = {row: there[key] for row, place in named.items() if (key := place.member or place.path) in there}
    for chunks in {id(each): each for each in found.values() if not isinstance(each, int)}.values():
        require_one_a_second(chunks, names, os.fspath(archive))
    return list(found), open_places(list(found.values()), opened)


def _on_disk(paths: Sequence[str]) -> tuple[list[str], dict[str, int | ChunkPlaces]]:
    """The files that paths stand for, and of each path that is there its file, or the chunks of a video's folder."""
    files: list[str] = []
    there: dict[str, int | ChunkPlaces] = {}
    for name in dict.fromkeys(paths):
        path = as_path(name)
        if os.path.isfile(path):
            there[name] = len(files)
            files.append(name)
        elif os.path.isdir(path) and (chunks := chunks_in(path)):
            there[name] = [(begin_s, len(files) + number) for number, (begin_s, _) in enumerate(chunks)]
            files += [f"{name}/{chunk}" for _, chunk in chunks]
    return files, there


def _refuse_missing(media: MediaList, rows: list[int]) -> None:
    if rows and media.places is not None:
        shown = (f"{shortened(media.ids[row])} ({shortened(media.places[row] or 'null')})" for row in rows[:_SHOWN])
        raise MissingMediaError(
            f"{media.source}: column 'media': {len(rows)} of {len(media)} media are missing there, first: "
            f"{', '.join(shown)}; `mmts prepare` again, or give --media their folder",
            [media.ids[row] for row in rows],
        )
