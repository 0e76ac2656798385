"""The names under which media are looked for in folders and archives, and what is said of those that aren't there."""

import contextlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.chunks import ChunkPlaces, find_chunks
from pipelines.artifacts.finding import find_files
from pipelines.artifacts.ids import missing_there
from pipelines.artifacts.listing import leads_out, plain
from pipelines.artifacts.places import VIDEO_SUFFIXES, Place
from pipelines.errors import InputError
from pipelines.media.errors import MissingMediaError
from pipelines.media.listing import MediaList


def candidates(media: MediaList, row: int) -> list[str]:
    """Names a medium's file may have in a folder or archive: its id, or its relative path or member name."""
    names = [media.ids[row]]
    if media.places is not None and (text := media.places[row]):
        with contextlib.suppress(InputError):  # a URL, which says nothing of names here
            place = Place.parse(text)
            names.append(place.member or place.path)
    return [plain(name) for name in names if not leads_out(name)]


def find(
    media: MediaList, names: Sequence[str], suffixes: tuple[str, ...], where: str, archives: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Where in a list of file names each medium stands, by its id or the path its annotations give; see `find_files`.

    Of a clip, its video's id is looked for first.

    Raises:
        InputError: Two files have the name of a medium; names both.
    """
    wanted = [candidates(media, row) for row in range(len(media))]
    return find_files(wanted, names, suffixes, where, stems=_stems(media, wanted), archives=archives)


def find_with_chunks(
    media: MediaList, names: Sequence[str], suffixes: tuple[str, ...], where: str, archives: Sequence[str] = ()
) -> list[int | ChunkPlaces | None]:
    """As `find`, and of a video that is no file, the chunks in the folder of its name; None where neither is there."""
    places = find(media, names, suffixes, where, archives)
    found: list[int | ChunkPlaces | None] = [None if place < 0 else place for place in places.tolist()]
    lost = [row for row, place in enumerate(found) if place is None]
    if lost and suffixes[-len(VIDEO_SUFFIXES) :] == VIDEO_SUFFIXES:
        stems = _stems(media, [candidates(media, row) for row in range(len(media))])
        in_folders = find_chunks([stems[row] for row in lost], names, where)
        for row, chunked in zip(lost, in_folders, strict=True):
            found[row] = None if chunked is None else chunked[1]
    return found


def require_found(
    where: str, media: MediaList, found: Sequence[int | ChunkPlaces | None], present: Iterable[str]
) -> list[int | ChunkPlaces]:
    """The places of media, all of which must be there.

    Raises:
        MissingMediaError: Some aren't, see `refuse_missing`.
    """
    refuse_missing(where, media, [row for row, place in enumerate(found) if place is None], present)
    return [place for place in found if place is not None]


def _stems(media: MediaList, wanted: Sequence[list[str]]) -> list[list[str]]:
    """Names that each medium's file may have without its suffix, its video's id first."""
    video_ids = media.video_ids or [None] * len(media)
    return [[each, *found] if each else found for each, found in zip(video_ids, wanted, strict=True)]


def refuse_missing(
    where: str, media: MediaList, rows: Sequence[int] | NDArray[np.int64], present: Iterable[str]
) -> None:
    """Refuse media that aren't there.

    Args:
        where: What was looked through.
        media: The media wanted.
        rows: Those that are missing.
        present: Names of what is there.

    Raises:
        MissingMediaError: There are such rows; says how many, which first, and the first names that are there.
    """
    if len(rows):
        missing = [media.ids[row] for row in rows]
        raise MissingMediaError(missing_there(where, missing, len(media), "media", present), missing)
