"""Images decoded on demand."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipelines.media.blobs import read_whole
from pipelines.media.damage import Fault, file_of
from pipelines.media.decode import decode_image
from pipelines.media.decoded import DecodedMedia
from pipelines.media.pixels import least_side
from pipelines.progress import Progress


class ImageMedia(DecodedMedia):
    """Images cut to squares."""

    kind = "image"

    def pictures(self, row: int, random: np.random.Generator | None) -> list[Image.Image]:
        """The picture; nothing is random before it is augmented."""
        data = read_whole(self.blobs.get(row))
        view = self.view
        return [decode_image(data, least_side(None if random is None else view.ranges, view.size, view.shortest_edge))]

    def faults(self, progress: Progress) -> Iterator[Fault]:
        """Which images can't be decoded; each is."""
        with progress.task("checking images", len(self.ids), "images") as task:
            for row, media_id in enumerate(self.ids):
                try:
                    self.pictures(row, None)
                except (OSError, ValueError) as error:
                    yield Fault(file_of(self.blobs, row), str(error), [media_id])
                task.advance()
