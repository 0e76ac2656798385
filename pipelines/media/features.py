"""Media as feature vectors extracted beforehand."""

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipelines.artifacts import Vectors


class FeatureMedia:
    """Feature vectors of media, in memory.

    Args:
        vectors: What a features file holds, see `read_vectors`.
        ids: The media wanted, in this order.

    Raises:
        InputError: The file lacks some of the media.
    """

    is_in_memory = True

    def __init__(self, vectors: Vectors, ids: list[str]) -> None:
        rows = vectors.rows_of(pa.chunked_array([ids], pa.string()), "media")
        self.ids = ids
        self.vectors_nd = torch.from_numpy(vectors.matrix_nd[rows])

    @property
    def dimension(self) -> int:
        """Size of a feature vector."""
        return self.vectors_nd.shape[1]

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        """The features ``[d]`` of a row; nothing is random about them."""
        return self.vectors_nd[row]

    def blank(self) -> Tensor:
        """A zero vector."""
        return torch.zeros(self.dimension)

    def batch(self, rows: Tensor) -> Tensor:
        """Features ``[n, d]`` of some rows ``[n]``."""
        return self.vectors_nd[rows]
