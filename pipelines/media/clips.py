"""Clips of videos decoded on demand."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipelines.errors import InputError
from pipelines.media.blobs import Blobs, Chunks, Content
from pipelines.media.chunked import in_seconds
from pipelines.media.damage import Fault, file_of, video_faults
from pipelines.media.decoded import DecodedMedia
from pipelines.media.listing import MediaList
from pipelines.media.pixels import least_side
from pipelines.media.video import read_frames, require_av
from pipelines.media.view import View
from pipelines.progress import Progress


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
        return read_frames(self._video(row), start_s, end_s, self._frames, random, side)

    def faults(self, progress: Progress) -> Iterator[Fault]:
        """What is wrong with videos, by a look at each, see `video_faults`; damage between may stay unseen."""
        rows_of: dict[tuple[str, str], list[int]] = {}
        for row in range(len(self.ids)):
            rows_of.setdefault((self.blobs.where(row), self.blobs.name(row)), []).append(row)
        with progress.task("checking videos", len(rows_of), "videos") as task:
            for rows in rows_of.values():
                try:
                    video = self._video(rows[0])
                except (OSError, ValueError) as error:
                    yield Fault(file_of(self.blobs, rows[0]), str(error), [self.ids[row] for row in rows])
                    continue
                file = self.blobs.where(rows[0]) if isinstance(video, tuple) else file_of(self.blobs, rows[0])
                for reason, concerned_n, cuts in video_faults(video, self._start_s[rows], self._end_s[rows]):
                    yield Fault(file, reason, [self.ids[rows[place]] for place in np.flatnonzero(concerned_n)], cuts)
                task.advance()

    def _video(self, row: int) -> Content | Chunks:
        video = self.blobs.get(row)
        if self.view.chunk_seconds is not None and isinstance(video, tuple):
            video = in_seconds(video, self.view.chunk_seconds)
        return video
