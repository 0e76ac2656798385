"""Small pictures of media, as a page holds them."""

import base64
import io
import warnings
from pathlib import Path

from pipelines.artifacts.places import VIDEO_SUFFIXES
from pipelines.errors import InputError
from pipelines.media import MediaList, View, open_media
from pipelines.media.decoded import DecodedMedia

_SIDE, _QUALITY = 224, 80


def thumbnails(media: MediaList, where: Path | None) -> dict[str, str]:
    """Pictures of some media by id, as data URIs; of a clip its middle frame. Media that can't be shown are left out.

    Args:
        media: The media.
        where: Folder or archive of images or clips; None for where the annotations say.
    """
    clips = any((place or "").lower().endswith(VIDEO_SUFFIXES) for place in media.places or [])
    try:
        source = open_media(where, media, view=View(_SIDE, frames=1 if clips else None), cache_bytes=0)
    except InputError as error:
        warnings.warn(f"no pictures: {error}", stacklevel=2)
        return {}
    assert isinstance(source, DecodedMedia)
    found = {}
    for row, media_id in enumerate(media.ids):
        try:
            (picture,) = source.pictures(row, None)
        except (OSError, ValueError):
            continue
        picture.thumbnail((_SIDE, _SIDE))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_QUALITY)
        found[media_id] = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return found
