"""Thumbnails of media, as data URIs that a page can hold."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.artifacts import read_annotations
from pipelines.remote import located

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96
MOST_BYTES = 2 * 2**20
_QUALITY, _EFFORT = 50, 2  # of WebP: 1.6 KB for 96 pixels of a photograph, within a millisecond


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures of media.

    Attributes:
        uris: ``data:image/webp;base64,...`` by media id.
        lacking: Why there is none of a medium, by media id: missing or damaged.
        left_out: How many media there was no room for.
    """

    uris: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    left_out: int = 0


def make_thumbnails(
    annotations: Path | str,
    media_ids: Iterable[str],
    *,
    media: Path | str | None = None,
    side: int = SIDE,
    most_bytes: int = MOST_BYTES,
) -> Thumbnails:
    """Make thumbnails of images, and of the middle frames of clips.

    Args:
        annotations: Annotations file, which may say where media are and when clips begin.
        media_ids: The media, those that matter most first; each counts once.
        media: Folder, archive or Parquet file of the images or clips; None for where the annotations' column ``media``
            says.
        side: Pixels of the longer side, at most.
        most_bytes: Room for all URIs together; media that are left when it is full have none.

    Raises:
        InputError: The annotations can't be used or lack one of the media, nothing is known of where media are, they
            are features, or PyAV is missing where they are clips.
    """
    from pipelines.media import DamagedMediumError, MissingMediaError, media_list  # brings torch
    from pipelines.media.stills import Stills

    annotations = located(annotations)
    wanted = list(dict.fromkeys(media_ids))
    if not wanted:
        return Thumbnails()
    path = None if media is None else located(media)
    listed = media_list(read_annotations(annotations, texts=False), annotations).select(wanted)
    lacking: dict[str, str] = {}
    try:
        stills = Stills(path, listed)
    except MissingMediaError as error:
        lacking = dict.fromkeys(error.media_ids, "missing")
        wanted = [media_id for media_id in wanted if media_id not in lacking]
        if not wanted:
            raise
        listed = listed.select(wanted)
        stills = Stills(path, listed)
    uris: dict[str, str] = {}
    room = most_bytes
    for row, media_id in enumerate(wanted):
        try:
            picture = stills.picture(row, side)
        except DamagedMediumError as error:
            lacking[media_id] = error.reason
            continue
        uri = thumbnail(picture, side)
        if len(uri) > room:
            return Thumbnails(uris, lacking, len(wanted) - row)
        room -= len(uri)
        uris[media_id] = uri
    return Thumbnails(uris, lacking)


def thumbnail(picture: "Image.Image", side: int = SIDE) -> str:
    """A picture as a data URI, its longer side ``side`` pixels at most; the picture is made smaller in place."""
    picture.thumbnail((side, side))
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=_QUALITY, method=_EFFORT)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
