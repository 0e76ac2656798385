"""One picture of each medium, to be looked at: an image, or the middle frame of a clip."""

from math import nan
from pathlib import Path

from PIL import Image

from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from pipelines.errors import InputError
from pipelines.media.blobs import read_whole
from pipelines.media.decode import decode_image
from pipelines.media.errors import DamagedMediumError
from pipelines.media.listing import MediaList
from pipelines.media.source import holds_features, open_blobs
from pipelines.media.video import read_frames, require_av


class Stills:
    """Media as single pictures, decoded when they are asked for.

    Args:
        path: Where the images or clips are, as for `open_media`.
        media: The media.

    Raises:
        MissingMediaError: Media are missing; says which.
        InputError: They can't be read, or features are all there is.
    """

    def __init__(self, path: Path | None, media: MediaList) -> None:
        if path is not None and holds_features(path):
            raise InputError(f"{path}: holds features, which can't be looked at; give the images or clips themselves")
        self._ids, self._times = media.ids, (media.start_s, media.end_s)
        self._blobs = open_blobs(path, media, IMAGE_SUFFIXES + VIDEO_SUFFIXES)

    def picture(self, row: int, least_side: int) -> Image.Image:
        """The picture of a medium, upright, in RGB.

        Args:
            row: The medium.
            least_side: Pixels that the shorter side has to keep: large JPEGs and frames are decoded smaller.

        Raises:
            DamagedMediumError: It can't be decoded.
            InputError: It is a clip, and PyAV isn't installed.
        """
        is_clip = self._blobs.name(row).lower().endswith(VIDEO_SUFFIXES)
        if is_clip:
            require_av()
        try:
            data = self._blobs.get(row)
            if is_clip:
                start_s, end_s = (nan if times is None else float(times[row]) for times in self._times)
                return read_frames(data, start_s, end_s, 1, None, least_side)[0]
            return decode_image(read_whole(data), least_side)
        except (OSError, ValueError) as error:
            kind = "clip" if is_clip else "image"
            raise DamagedMediumError(f"{self._blobs.where(row)}: {kind}", self._ids[row], error) from error
