"""What images and clips have in common: decoded on demand, cut to squares, evaluation views kept."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipelines.errors import InputError
from pipelines.media.blobs import Blobs
from pipelines.media.cache import ViewCache
from pipelines.media.damage import Fault
from pipelines.media.errors import DamagedMediumError
from pipelines.media.pixels import CENTRE, Pixels, draw
from pipelines.media.view import View
from pipelines.progress import Progress


class DecodedMedia(ABC):
    """Media that are decoded when they are asked for.

    Args:
        blobs: Their files.
        ids: Their media ids.
        view: Size of the squares, number of frames, and what training does to them.
        cache_bytes: Memory for evaluation views; if they don't all fit, none are kept.

    Attributes:
        ids: Media ids; a row is a place in this list.
    """

    is_in_memory = False
    kind: str

    def __init__(self, blobs: Blobs, ids: Sequence[str], view: View, cache_bytes: int) -> None:
        self.ids = ids
        self.blobs = blobs
        self.view = view
        frames = () if view.frames is None else (view.frames,)
        self._shape = (*frames, 3, view.size, view.size)
        self._cache = ViewCache(len(ids), self._shape, cache_bytes)

    @abstractmethod
    def pictures(self, row: int, random: np.random.Generator | None) -> list[Image.Image]:
        """The picture of an image, or the frames of a clip, all of one size.

        Raises:
            OSError, ValueError: It can't be decoded; says why.
        """

    @abstractmethod
    def faults(self, progress: Progress) -> Iterator[Fault]:
        """What is wrong with files, by one look at each; less than decoding all of them finds, where that is slow."""

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        """Pixels ``[3, size, size]`` or ``[frames, 3, size, size]``, uint8; see `MediaSource`."""
        return torch.from_numpy(self._pixels(row, random))

    def blank(self) -> Tensor:
        """Black pixels."""
        return torch.zeros(self._shape, dtype=torch.uint8)

    def batch(self, rows: Tensor) -> Tensor:
        """Evaluation views of some rows ``[n]``, stacked, uint8.

        Raises:
            DamagedMediumError: A medium can't be decoded.
        """
        return torch.from_numpy(np.stack([self._pixels(row, None) for row in rows.tolist()]))

    def _pixels(self, row: int, random: np.random.Generator | None) -> Pixels:
        if random is not None and (self.view.ranges is not None or self.view.frames is not None):
            return self._decode(row, random)
        pixels = self._cache.get(row)
        if pixels is None:
            pixels = self._decode(row, None)
            self._cache.put(row, pixels)
        return pixels

    def _decode(self, row: int, random: np.random.Generator | None) -> Pixels:
        try:
            pictures = self.pictures(row, random)
        except InputError:
            raise
        except (OSError, ValueError) as error:
            raise DamagedMediumError(f"{self.blobs.where(row)}: {self.kind}", self.ids[row], error) from error
        augmentation = CENTRE if random is None else draw(self.view.ranges, pictures[0].size, random)
        squares = [augmentation.square(picture, self.view.size, self.view.shortest_edge) for picture in pictures]
        return squares[0] if self.view.frames is None else np.stack(squares)
