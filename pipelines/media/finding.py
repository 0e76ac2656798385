"""The names under which media are looked for in folders and archives, and what is said of those that aren't there."""

import contextlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.finding import find_files
from pipelines.artifacts.ids import missing_there
from pipelines.artifacts.listing import leads_out, plain
from pipelines.artifacts.places import Place
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
    video_ids = media.video_ids or [None] * len(media)
    stems = [[each, *found] if each else found for each, found in zip(video_ids, wanted, strict=True)]
    return find_files(wanted, names, suffixes, where, stems=stems, archives=archives)


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
