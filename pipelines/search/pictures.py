"""The thumbnails of a page."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.runs.sources import Sources
from pipelines.search.collection import Collection
from pipelines.search.result import SearchResult
from pipelines.views.thumbnails import make_thumbnails, thumbnail

_SIDE = 224  # pixels: twice what a card of the page shows, for fine screens
_MOST_BYTES = 8 * 2**20


def pictures_of_media(
    result: SearchResult, collection: Collection, sources: Sources, pictures: Path | None
) -> dict[str, str]:
    """Thumbnails of what was found, and of samples and media that were searched for, by media id.

    Args:
        result: What was found.
        collection: What was searched.
        sources: The files.
        pictures: Folder or archive of images or clips; None for the run's own media, or where the annotations say.

    Raises:
        InputError: ``pictures`` can't be used. Where others can't be, a warning says so.
    """
    from pipelines.media import holds_features  # brings torch

    where = pictures or sources.media
    if pictures is None and where is not None and holds_features(where):
        where = None
    if where is None and "media" not in collection.annotations.column_names:
        return {}
    asked = [found.query.media_id for found in result.queries if found.query.media_id is not None]
    shown = asked + [hit.media_id for found in result.queries for hit in found.hits]
    try:
        made = make_thumbnails(sources.annotations, shown, media=where, side=_SIDE, most_bytes=_MOST_BYTES)
    except InputError as error:
        if pictures is not None:
            raise
        warnings.warn(f"no pictures: {error}", stacklevel=2)
        return {}
    if made.lacking:
        warnings.warn(f"no pictures of {len(made.lacking):,} media, which are missing or damaged", stacklevel=2)
    if made.left_out:
        warnings.warn(f"no pictures of the last {made.left_out:,} media: the page would be too large", stacklevel=2)
    return made.uris


def pictures_of_files(files: Sequence[str]) -> dict[str, str]:
    """Thumbnails of image files, or clips, that were searched for, by name."""
    from pipelines.media import MediaList  # brings torch
    from pipelines.media.stills import Stills

    if not files:
        return {}
    stills = Stills(None, MediaList(list(files), list(files)))
    return {file: thumbnail(stills.picture(row, _SIDE), _SIDE) for row, file in enumerate(files)}
