"""Media where the annotations' column ``media`` says."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.artifacts import fingerprint_of, open_parquet
from pipelines.artifacts.ids import shortened
from pipelines.artifacts.listing import zip_members
from pipelines.artifacts.places import Place
from pipelines.artifacts.provenance import fingerprint_of_files
from pipelines.errors import InputError
from pipelines.media.blobs import Blobs
from pipelines.media.errors import MissingMediaError
from pipelines.media.files import FileBlobs, ZipBlobs
from pipelines.media.listing import MediaList
from pipelines.media.tars import TarBlobs, members_of
from pipelines.remote import as_path, fetch, is_url, located

_SHOWN = 2


class LinkedBlobs:
    """Media where the annotations' column ``media`` says: files, and members of zips and tars.

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

    def get(self, row: int) -> bytes | Path:
        """The content of a medium's file, or where it lies.

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
    files = fingerprint_of_files([(place.path, as_path(place.path)) for place in places if place.scheme is None])
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
        found = [row for row, place in named.items() if os.path.isfile(as_path(place.path))]
        return found, FileBlobs([os.fspath(as_path(named[row].path)) for row in found])
    if scheme == "zip":
        present = {member.name for member in zip_members(archive)}
        found = [row for row, place in named.items() if place.member in present]
        return found, ZipBlobs(archive, [str(named[row].member) for row in found])
    members = {member[3]: member for member in members_of(archive)}
    found = [row for row, place in named.items() if place.member in members]
    return found, TarBlobs([members[str(named[row].member)] for row in found])


def _refuse_missing(media: MediaList, rows: list[int]) -> None:
    if rows and media.places is not None:
        shown = (f"{shortened(media.ids[row])} ({shortened(media.places[row] or 'null')})" for row in rows[:_SHOWN])
        raise MissingMediaError(
            f"{media.source}: column 'media': {len(rows)} of {len(media)} media are missing there, first: "
            f"{', '.join(shown)}; `mmts prepare` again, or give --media their folder",
            [media.ids[row] for row in rows],
        )
