"""Media as feature vectors extracted beforehand."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipelines.artifacts import Vectors
from pipelines.artifacts.matrix import MappedMatrix, Matrix, take
from pipelines.artifacts.strings import string_column


class StoredVectors:
    """Vectors of a training or test set, in memory or, where they are many, on the disk.

    Args:
        matrix_nd: The vectors ``[n, d]``.
    """

    def __init__(self, matrix_nd: Matrix) -> None:
        self._vectors_nd = matrix_nd if isinstance(matrix_nd, MappedMatrix) else torch.from_numpy(matrix_nd)

    @property
    def dimension(self) -> int:
        """Size of a vector."""
        return self._vectors_nd.shape[1]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._vectors_nd)

    def __getitem__(self, rows: Tensor | int) -> Tensor:
        """The vectors ``[b, d]`` of some rows ``[b]``, or that of one ``[d]``."""
        if isinstance(rows, int):
            return self[torch.tensor([rows])][0]
        stored = self._vectors_nd
        return stored[rows] if isinstance(stored, Tensor) else torch.from_numpy(stored[rows.numpy()])


class FeatureMedia:
    """Feature vectors of media.

    Args:
        vectors: What a features file holds, see `read_vectors`.
        ids: The media wanted, in this order.

    Raises:
        InputError: The file lacks some of the media.
    """

    is_in_memory = True

    def __init__(self, vectors: Vectors, ids: Sequence[str]) -> None:
        rows = vectors.rows_of(string_column(ids), "media")
        self.ids = ids
        self._vectors = StoredVectors(take(vectors.matrix_nd, rows))

    @property
    def dimension(self) -> int:
        """Size of a feature vector."""
        return self._vectors.dimension

    def load(self, row: int, random: np.random.Generator | None = None) -> Tensor:
        """The features ``[d]`` of a row; nothing is random about them."""
        return self._vectors[row]

    def blank(self) -> Tensor:
        """A zero vector."""
        return torch.zeros(self.dimension)

    def batch(self, rows: Tensor) -> Tensor:
        """Features ``[n, d]`` of some rows ``[n]``."""
        return self._vectors[rows]
