"""Clips of videos decoded on demand."""

import numpy as np
from PIL import Image

from pipelines.errors import InputError
from pipelines.media.blobs import Blobs
from pipelines.media.chunked import in_seconds
from pipelines.media.decoded import DecodedMedia
from pipelines.media.listing import MediaList
from pipelines.media.pixels import least_side
from pipelines.media.video import read_frames, require_av
from pipelines.media.view import View


class ClipMedia(DecodedMedia):
    """Clips as frames cut to squares.

    A clip is cut into as many equal segments as there are frames. Evaluation takes the frame on display at the centre
    of each, training at an instant drawn uniformly from it; all frames of a clip are augmented alike.

    Args:
        blobs: The video of each clip.
        media: The clips.
        view: Number of frames, size of the squares, and what training does to them.
        cache_bytes: Memory for evaluation views; if they don't all fit, none are kept.

    Raises:
        InputError: PyAV isn't installed, or the view is one of images.
    """

    kind = "clip"

    def __init__(self, blobs: Blobs, media: MediaList, view: View, cache_bytes: int) -> None:
        require_av()
        if view.frames is None:
            raise InputError("clips need a number of frames; give it with --frames")
        super().__init__(blobs, media.ids, view, cache_bytes)
        self._frames = view.frames
        self._start_s = np.full(len(media), np.nan) if media.start_s is None else media.start_s
        self._end_s = np.full(len(media), np.nan) if media.end_s is None else media.end_s

    def pictures(self, row: int, random: np.random.Generator | None) -> list[Image.Image]:
        """The frames, upright."""
        start_s, end_s = float(self._start_s[row]), float(self._end_s[row])
        ranges = None if random is None else self.view.ranges
        side = least_side(ranges, self.view.size, self.view.shortest_edge)
        video = self.blobs.get(row)
        if self.view.chunk_seconds is not None and isinstance(video, tuple):
            video = in_seconds(video, self.view.chunk_seconds)
        return read_frames(video, start_s, end_s, self._frames, random, side)
