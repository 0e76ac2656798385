"""Images decoded on demand."""

import numpy as np
from PIL import Image

from pipelines.media.blobs import read_whole
from pipelines.media.decode import decode_image
from pipelines.media.decoded import DecodedMedia
from pipelines.media.pixels import least_side


class ImageMedia(DecodedMedia):
    """Images cut to squares."""

    kind = "image"

    def pictures(self, row: int, random: np.random.Generator | None) -> list[Image.Image]:
        """The picture; nothing is random before it is augmented."""
        data = read_whole(self.blobs.get(row))
        view = self.view
        return [decode_image(data, least_side(None if random is None else view.ranges, view.size, view.shortest_edge))]
