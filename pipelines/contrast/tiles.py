"""Walking over a similarity matrix in tiles, so that nothing of size n x n is ever held."""

import math
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.contrast.relations import Relations
from pipelines.contrast.threads import for_each, slices
from pipelines.errors import InputError

# A score no pair can have: small enough that exp() of it vanishes at any temperature in use, and small enough in
# magnitude that products with the vanished exp() stay negligible instead of overflowing.
MASKED_SCORE = -1e12

# Two tiles of scores and their slices of embeddings should stay close to a core's second-level cache, yet be large
# enough for matrix products to run at full speed.
_CPU_TILE = 704
_CUDA_TILES = (1024, 8192)
_CUDA_MEMORY_SHARE = 1 / 128
_BUFFERS = 2


@dataclass(frozen=True)
class Tiling:
    """How one walk over the scores of n media rows against m text columns is done.

    Attributes:
        normalize: L2-normalise the rows of both sides first.
        offset: Column of the positive of row 0; row i belongs to column ``offset + i``.
        drop_diagonal: Leave the positives out.
        relations: Groups whose related pairs (other than the positives) are left out, or ``None``.
        tile_size: Rows and columns of a tile, or ``None`` to choose from the memory there is.
    """

    normalize: bool = True
    offset: int = 0
    drop_diagonal: bool = False
    relations: Relations | None = None
    tile_size: int | None = None

    def diagonal(self, values_rc: Tensor, rows: slice, columns: slice) -> tuple[Tensor, slice]:
        """Return a view of the positives inside a tile and the rows, counted from 0, they belong to.

        Args:
            values_rc: Tile of shape ``[rows, columns]``.
            rows: Rows of the tile.
            columns: Columns of the tile.

        Returns:
            The view (empty where no positive lies in the tile) and its slice of all rows.
        """
        first = max(rows.start, columns.start - self.offset)
        last = max(first, min(rows.stop, columns.stop - self.offset))
        if first == last:
            return values_rc.new_empty(0), slice(first, first)
        block = values_rc[first - rows.start :, first + self.offset - columns.start :]
        return block.diagonal()[: last - first], slice(first, last)

    def mask_(self, scores_rc: Tensor, rows: slice, columns: slice) -> None:
        """Overwrite, in place, the scores that take no part as negatives."""
        if self.relations is not None:
            masked_rc = self.relations.mask(slice(rows.start + self.offset, rows.stop + self.offset), columns)
            self.diagonal(masked_rc, rows, columns)[0].fill_(False)
            scores_rc.masked_fill_(masked_rc, MASKED_SCORE)
        if self.drop_diagonal:
            self.diagonal(scores_rc, rows, columns)[0].fill_(MASKED_SCORE)


class UnitRows:
    """Embeddings read a few rows at a time, L2-normalised and in the precision of accumulation.

    Normalising a slice when it is needed, rather than all rows beforehand, saves two matrices the size of the
    embeddings: at 8,192 pairs of 256 numbers those would be most of the memory of the loss.

    Args:
        embedding_nd: Embeddings of shape ``[n, d]``, any floating dtype.
        dtype: Precision of accumulation.
        normalize: Whether rows are L2-normalised, or used as they are.
        tile: Most rows read at a time.
    """

    def __init__(self, embedding_nd: Tensor, dtype: torch.dtype, normalize: bool, tile: int) -> None:
        self.embedding_nd = embedding_nd
        self._buffers = Buffers(embedding_nd, dtype, min(tile, len(embedding_nd)), embedding_nd.shape[1], count=1)
        self.inverse_norm_n1: Tensor | None = None
        if normalize:
            norm_n1 = torch.linalg.vector_norm(embedding_nd, dim=1, keepdim=True, dtype=dtype)
            self.inverse_norm_n1 = norm_n1.clamp_min_(1e-12).reciprocal_()

    def __getitem__(self, rows: slice) -> Tensor:
        """Return the unit rows ``[rows, d]`` of a slice, valid until this thread reads the next."""
        part_rd = self.embedding_nd[rows]
        (unit_rd,) = self._buffers.views(*part_rd.shape)
        if self._buffers.rows == rows:
            return unit_rd
        self._buffers.rows = rows
        if self.inverse_norm_n1 is None:
            return unit_rd.copy_(part_rd)
        return torch.mul(part_rd, self.inverse_norm_n1[rows], out=unit_rd)

    def finish_gradient_(self, gradient_nd: Tensor, tile: int) -> Tensor:
        """Turn, in place, the gradient for unit rows into the one for the rows given.

        With u = x / |x| the gradient for x is (g - u (u . g)) / |x|.
        """
        inverse_norm_n1 = self.inverse_norm_n1
        if inverse_norm_n1 is None:
            return gradient_nd

        def finish(rows: slice) -> None:
            unit_rd, part_rd = self[rows], gradient_nd[rows]
            part_rd.addcmul_(unit_rd, dot_rows(unit_rd, part_rd)[:, None], value=-1)
            part_rd.mul_(inverse_norm_n1[rows])

        for_each(finish, slices(len(gradient_nd), tile), gradient_nd.device)
        return gradient_nd


class Buffers:
    """Scratch memory, of each thread its own, allocated once a walk; ragged last tiles are views of it."""

    def __init__(self, like: Tensor, dtype: torch.dtype, rows: int, columns: int, count: int = _BUFFERS) -> None:
        self._dtype, self._device = dtype, like.device
        self._size, self._count = rows * columns, count
        self._own = threading.local()  # and no subclass of it, which torch.compile can't make

    def views(self, height: int, width: int) -> list[Tensor]:
        """Return contiguous tiles ``[height, width]``, contents undefined."""
        if not hasattr(self._own, "flat"):
            empty = (torch.empty(self._size, dtype=self._dtype, device=self._device) for _ in range(self._count))
            self._own.flat = list(empty)
        return [flat[: height * width].view(height, width) for flat in self._own.flat]

    @property
    def rows(self) -> slice | None:
        """What the thread has written to it, for `UnitRows`."""
        return getattr(self._own, "rows", None)

    @rows.setter
    def rows(self, rows: slice) -> None:
        self._own.rows = rows


def dot_rows(left_nd: Tensor, right_nd: Tensor) -> Tensor:
    """Return the dot product of each row with its partner ``[n]``, without a matrix of products in between."""
    return torch.einsum("nd,nd->n", left_nd, right_nd)


def accumulation_dtype(*tensors: Tensor) -> torch.dtype:
    """Return the precision sums are kept in: float64 where an input is, otherwise float32."""
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32


def choose_tile_size(embedding_nd: Tensor, longest: int, dtype: torch.dtype, given: int | None = None) -> int:
    """Return the rows and columns of a tile.

    On a CPU two tiles should fit its cache. On CUDA larger tiles hide the launch of kernels, so the buffers
    may take a 128th of the device's memory.

    Args:
        embedding_nd: Embeddings, for their device.
        longest: Rows or columns of the score matrix, whichever are more; at least 1.
        dtype: Precision of accumulation.
        given: The user's choice, used as it is.

    Raises:
        InputError: ``given`` is not positive.
    """
    if given is not None:
        if given < 1:
            raise InputError(f"tile_size is {given}; give a positive number of rows, or None to choose it")
        return given
    if embedding_nd.device.type != "cuda":
        # Tiles of one size: a sliver at the end costs more than it computes.
        even = math.ceil(longest / math.ceil(longest / _CPU_TILE))
        return -(-even // 16) * 16
    # Not from the memory that is free: the order of sums, and so the last bits of a run, would change with it.
    memory = torch.cuda.get_device_properties(embedding_nd.device).total_memory
    fitting = math.isqrt(int(memory * _CUDA_MEMORY_SHARE) // (_BUFFERS * dtype.itemsize))
    smallest, largest = _CUDA_TILES
    return max(smallest, min(largest, fitting // 256 * 256))
