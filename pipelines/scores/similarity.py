"""Similarities in blocks, the same to the last bit whatever the blocks, the threads or the BLAS.

A floating-point dot product depends on the order of its additions, and BLAS picks that order by the shape of the
block. Two identical captions can then differ in the last bit, a tie is lost, and ranks change with the block size.
Here every row is first rounded to 26 fractional bits of its length. All products and partial sums of such rows are
integers below 2**53 (Cauchy-Schwarz), which float64 holds exactly, so every order of additions gives the same
number. The rounding, at most 2**-27 per coordinate of a unit vector, is finer than a float32 product's own error.

Exact products take float64. Most scores are far enough from the one they are compared with that float32 says which is
higher: `ScoreSource.rough` gives such products with a bound of their error, and exact ones are left for close calls.
"""

import copy
import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.matrix import MappedMatrix
from pipelines.errors import InputError

FloatArray = NDArray[np.floating[Any]]
EmbeddingMatrix = FloatArray | MappedMatrix  # in memory, or on the disk where it is large
IntArray = NDArray[np.int64]

FRACTION_BITS = 26
FLOAT32_UNIT = 2.0**-24  # largest relative error of rounding to float32
ROWS_AT_ONCE = 8192


class ScoreSource(Protocol):
    """Similarities of n media (rows) and m texts (columns), higher is better, handed out in blocks."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of media and of texts, ``(n, m)``."""

    @property
    def dimension(self) -> int:
        """Length of the vectors that a block is made from, 0 where it is read as it is."""

    def block(self, rows: slice, columns: slice) -> FloatArray:
        """The similarities of some media with some texts."""

    def rough(self, rows: slice, columns: slice) -> tuple[FloatArray, float]:
        """The same, faster, and how far one of them may be off: 0 where they are exact.

        The bound holds where they are compared with a score that was rounded to their type.
        """

    def pairs(self, row_p: IntArray, column_p: IntArray) -> FloatArray:
        """The similarities ``S[row_p[i], column_p[i]]``, equal to the last bit to those in the blocks."""

    def transposed(self) -> "ScoreSource":
        """The same similarities with texts as rows and media as columns."""


class EmbeddingScores:
    """Inner products of two sets of embeddings, never held as one matrix.

    Args:
        media_nd: Media embeddings, shape ``(n, d)``, any float type.
        text_md: Text embeddings, shape ``(m, d)``, any float type.
        normalize: Divide each row by its length first, so that similarities are cosines.

    Raises:
        InputError: The dimensions differ, a side is empty, or rows hold NaN or infinite values or, with
            ``normalize``, only zeros.
    """

    def __init__(self, media_nd: EmbeddingMatrix, text_md: EmbeddingMatrix, *, normalize: bool = True) -> None:
        if media_nd.ndim != 2 or text_md.ndim != 2 or media_nd.shape[1] != text_md.shape[1]:
            raise InputError(
                f"media embeddings of shape {media_nd.shape} and text embeddings of shape {text_md.shape} can't be "
                "compared: give two matrices with the same number of columns"
            )
        self._normalize = normalize
        self._media = _FixedPointRows(media_nd, "media", normalize)
        self._text = _FixedPointRows(text_md, "text", normalize)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of media and of texts, ``(n, m)``."""
        return len(self._media.x_nd), len(self._text.x_nd)

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return int(self._media.x_nd.shape[1])

    def block(self, rows: slice, columns: slice) -> FloatArray:
        """The similarities of some media with some texts, float64."""
        block_nm: FloatArray = self._media.strip(rows) @ self._text.strip(columns).T
        return block_nm

    def rough(self, rows: slice, columns: slice) -> tuple[FloatArray, float]:
        """The similarities of some media with some texts in float32, where rows are unit vectors; else exact.

        A sum of d products of unit vectors in float32, in any order, is off by at most n u / (1 - n u) with n = d
        (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). The vectors are rounded to float32 first,
        and so is the score they are compared with: n = d + 4 covers that.
        """
        roundings = (self.dimension + 4) * FLOAT32_UNIT
        if not self._normalize or roundings >= 1:
            return self.block(rows, columns), 0.0
        media_nd, text_md = self._media.strip(rows), self._text.strip(columns)
        rough_nm: FloatArray = media_nd.astype(np.float32) @ text_md.astype(np.float32).T
        return rough_nm, roundings / (1 - roundings)

    def pairs(self, row_p: IntArray, column_p: IntArray) -> FloatArray:
        """The similarities of the given pairs, float64, shape ``(p,)``."""
        score_p = np.empty(len(row_p))
        for part in _slices(len(row_p)):
            media_pd, text_pd = self._media.take(row_p[part]), self._text.take(column_p[part])
            score_p[part] = np.einsum("pd,pd->p", media_pd, text_pd)
        return score_p

    def transposed(self) -> "EmbeddingScores":
        """The same similarities, to the last bit, with texts as rows and media as columns."""
        other = copy.copy(self)
        other._media, other._text = self._text, self._media
        return other


class DenseScores:
    """A similarity matrix that is already there.

    Args:
        scores_nm: Similarities of n media (rows) and m texts (columns), float32 or float64.
        side: What the rows are, for messages.
    """

    dimension = 0

    def __init__(self, scores_nm: FloatArray, side: str = "media") -> None:
        if scores_nm.ndim != 2 or 0 in scores_nm.shape:
            raise InputError(f"similarities have shape {scores_nm.shape}: give a matrix of media by texts")
        self._scores_nm = scores_nm
        self._side = side

    @property
    def shape(self) -> tuple[int, int]:
        """Number of media and of texts, ``(n, m)``."""
        return self._scores_nm.shape[0], self._scores_nm.shape[1]

    def block(self, rows: slice, columns: slice) -> FloatArray:
        """Part of the matrix.

        Raises:
            InputError: NaN in the block; the message names the rows.
        """
        block_nm = self._scores_nm[rows, columns]
        nan_rows = np.flatnonzero(np.isnan(block_nm.min(axis=1)))
        if len(nan_rows):
            first = rows.indices(self.shape[0])[0]
            raise InputError(
                f"similarities are NaN in {_name_rows(first + nan_rows)} ({self._side}): "
                "look for NaN or zero-length embeddings there"
            )
        return block_nm

    def rough(self, rows: slice, columns: slice) -> tuple[FloatArray, float]:
        """Part of the matrix, which is exact."""
        return self.block(rows, columns), 0.0

    def pairs(self, row_p: IntArray, column_p: IntArray) -> FloatArray:
        """The similarities of the given pairs, shape ``(p,)``."""
        score_p: FloatArray = self._scores_nm[row_p, column_p]
        return score_p

    def transposed(self) -> "DenseScores":
        """The same similarities with texts as rows and media as columns."""
        return DenseScores(self._scores_nm.T, "text" if self._side == "media" else "media")


class _FixedPointRows:
    """Rows of a matrix on demand, as float64 multiples of 2**-26 of (a power of two just above) their length."""

    def __init__(self, x_nd: EmbeddingMatrix, side: str, normalize: bool) -> None:
        if 0 in x_nd.shape:
            raise InputError(f"{side} embeddings have shape {x_nd.shape}: there is nothing to score")
        self.x_nd = x_nd
        norm_n = np.concatenate([_exact_norms(x_nd[part]) for part in _slices(len(x_nd))])
        _refuse(~np.isfinite(norm_n), side, "hold NaN or infinite values")
        if normalize:
            _refuse(norm_n == 0, side, "hold only zeros and have no direction")
            self._up_n = 2.0**FRACTION_BITS / norm_n
            self._down_n = np.full(len(x_nd), 2.0**-FRACTION_BITS)
        else:
            exponent_n = np.frexp(norm_n)[1]
            self._up_n = np.ldexp(1.0, FRACTION_BITS - exponent_n)
            self._down_n = np.ldexp(1.0, exponent_n - FRACTION_BITS)
        self._last: tuple[slice, NDArray[np.float64]] | None = None

    def strip(self, rows: slice) -> NDArray[np.float64]:
        """The rows of a block, shape ``(b, d)``; the last ones are kept for the next block beside it."""
        last = self._last  # read once: blocks may be asked for from several threads
        if last is None or last[0] != rows:
            self._last = last = rows, self.take(rows)
        return last[1]

    def take(self, rows: slice | IntArray) -> NDArray[np.float64]:
        """The rows, shape ``(len(rows), d)``."""
        fixed_nd = self.x_nd[rows].astype(np.float64)  # at once: a product of two types is slow
        fixed_nd *= self._up_n[rows, None]
        np.rint(fixed_nd, out=fixed_nd)
        fixed_nd *= self._down_n[rows, None]
        return fixed_nd


def block_edge(source: ScoreSource, block_bytes: int) -> int:
    """Rows and columns of the square blocks that keep the work below ``block_bytes``, at least 64.

    A block of edge b needs 8 bytes a score and two comparisons of one byte each, and the two strips of b vectors
    that it is made from need up to 40 bytes a coordinate together.
    """
    strip = 40 * source.dimension
    edge = (math.sqrt(strip**2 + 40 * block_bytes) - strip) / 20
    return max(64, int(edge))


def _exact_norms(x_nd: FloatArray) -> NDArray[np.float64]:
    """Lengths of the rows; equal rows have equal lengths because the sums of squares are exact, as above."""
    bits = (53 - math.ceil(math.log2(x_nd.shape[1]))) // 2
    largest_n = np.abs(x_nd).max(axis=1).astype(np.float64)
    exponent_n = np.frexp(largest_n)[1]
    fixed_nd = np.rint(x_nd * np.ldexp(1.0, bits - exponent_n)[:, None])
    norm_n = np.sqrt(np.einsum("nd,nd->n", fixed_nd, fixed_nd)) * np.ldexp(1.0, exponent_n - bits)
    return np.where(np.isfinite(largest_n), norm_n, np.nan)


def _refuse(bad_n: NDArray[np.bool_], side: str, what: str) -> None:
    if bad_n.any():
        raise InputError(
            f"{side} embeddings {what} in {_name_rows(np.flatnonzero(bad_n))}: embed them again or drop them"
        )


def _name_rows(rows: NDArray[np.integer[Any]]) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    if len(rows) == 1:
        return f"row {shown}"
    return f"{len(rows)} rows ({shown}{', ...' if len(rows) > 5 else ''})"


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, count))
