"""Log-sum-exp of the scores of every row and every column of a batch, in tiles, differentiable."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pipelines.contrast.tiles import Buffers, Tiling, UnitRows, accumulation_dtype, choose_tile_size, slices

# exp() of less than this is below any rounding error of a sum that is at least 1, and above the subnormal numbers,
# on which a CPU is a hundred times slower.
_SMALLEST_EXPONENT = {torch.float32: -70.0, torch.float64: -600.0}


class RowsAndColumns(NamedTuple):
    """What a walk over the scores S of n media rows and m text columns yields.

    Attributes:
        row_n: log sum_j exp(S_ij / temperature_i), differentiable.
        column_m: log sum_i exp(S_ij / temperature_j), differentiable.
        positive_n: S_ii, differentiable.
        row_mean_n: Mean of S_ij under the softmax of row i, a constant; zeros unless asked for.
        column_mean_m: The same for columns.
    """

    row_n: Tensor
    column_m: Tensor
    positive_n: Tensor
    row_mean_n: Tensor
    column_mean_m: Tensor


def logsumexp_both(
    media_nd: Tensor,
    text_md: Tensor,
    row_sharpness_n: Tensor,
    column_sharpness_m: Tensor,
    tiling: Tiling,
    *,
    means: bool = False,
) -> RowsAndColumns:
    """Compute log-sum-exps over rows and columns of the score matrix from one pass over its tiles.

    The backward pass walks over the tiles once more. Neither holds more than two tiles of scores.

    Args:
        media_nd: Media embeddings ``[n, d]``.
        text_md: Text embeddings ``[m, d]``.
        row_sharpness_n: 1 / temperature of each row ``[n]``, positive.
        column_sharpness_m: 1 / temperature of each column ``[m]``, positive.
        tiling: How to walk.
        means: Also return the softmax means of the scores.
    """
    means = means or row_sharpness_n.requires_grad or column_sharpness_m.requires_grad
    found = _LogSumExp.apply(  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
        media_nd, text_md, row_sharpness_n, column_sharpness_m, tiling, means
    )
    return RowsAndColumns(*found)


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        media_nd: Tensor,
        text_md: Tensor,
        row_sharpness_n: Tensor,
        column_sharpness_m: Tensor,
        tiling: Tiling,
        means: bool,
    ) -> tuple[Tensor, ...]:
        with torch.autocast(media_nd.device.type, enabled=False):
            dtype = accumulation_dtype(media_nd, text_md)
            tile = choose_tile_size(media_nd, dtype, tiling.tile_size)
            n, m = len(media_nd), len(text_md)
            media, text = (UnitRows(side, dtype, tiling.normalize) for side in (media_nd, text_md))
            buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
            positive_n = torch.zeros(n, dtype=dtype, device=media_nd.device)
            row = _RunningSums(positive_n, n, means)
            column = _RunningSums(positive_n, m, means)
            for columns in slices(m, tile):
                text_cd = text[columns]
                for rows in slices(n, tile):
                    scores_rc, work_rc = buffers.views(rows, columns)
                    torch.mm(media[rows], text_cd.T, out=scores_rc)
                    diagonal, diagonal_rows = tiling.diagonal(scores_rc, rows, columns)
                    positive_n[diagonal_rows] = diagonal
                    tiling.hide_(scores_rc, rows, columns)
                    row.add(rows, scores_rc, row_sharpness_n[rows, None], work_rc, dim=1)
                    column.add(columns, scores_rc, column_sharpness_m[None, columns], work_rc, dim=0)
            row_n, row_mean_n = row.finish()
            column_m, column_mean_m = column.finish()
        ctx.save_for_backward(
            media_nd, text_md, row_sharpness_n, column_sharpness_m, row_n, column_m, row_mean_n, column_mean_m
        )
        ctx.tiling = tiling
        ctx.tile = tile
        ctx.mark_non_differentiable(row_mean_n, column_mean_m)
        return row_n, column_m, positive_n, row_mean_n, column_mean_m

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_row_n: Tensor, grad_column_m: Tensor, grad_positive_n: Tensor, *_: Tensor
    ) -> tuple[Tensor | None, ...]:
        (
            media_nd,
            text_md,
            row_sharpness_n,
            column_sharpness_m,
            row_n,
            column_m,
            row_mean_n,
            column_mean_m,
        ) = ctx.saved_tensors
        tiling: Tiling = ctx.tiling
        tile: int = ctx.tile
        grads: list[Tensor | None] = [None, None]
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            with torch.autocast(media_nd.device.type, enabled=False):
                dtype = row_n.dtype
                floor = _SMALLEST_EXPONENT[dtype]
                n, m = len(media_nd), len(text_md)
                media, text = (UnitRows(side, dtype, tiling.normalize) for side in (media_nd, text_md))
                buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
                row_factor_n = grad_row_n * row_sharpness_n
                column_factor_m = grad_column_m * column_sharpness_m
                grad_media_nd = torch.zeros_like(media_nd, dtype=dtype)
                grad_text_md = torch.zeros_like(text_md, dtype=dtype)
                for columns in slices(m, tile):
                    text_cd = text[columns]
                    for rows in slices(n, tile):
                        scores_rc, grad_rc = buffers.views(rows, columns)
                        media_rd = media[rows]
                        torch.mm(media_rd, text_cd.T, out=scores_rc)
                        tiling.hide_(scores_rc, rows, columns)
                        torch.mul(scores_rc, row_sharpness_n[rows, None], out=grad_rc)
                        grad_rc.sub_(row_n[rows, None]).clamp_min_(floor).exp_()
                        grad_rc.mul_(row_factor_n[rows, None])
                        scores_rc.mul_(column_sharpness_m[columns]).sub_(column_m[columns])
                        scores_rc.clamp_min_(floor).exp_()
                        grad_rc.addcmul_(scores_rc, column_factor_m[None, columns])
                        diagonal, diagonal_rows = tiling.diagonal(grad_rc, rows, columns)
                        diagonal.add_(grad_positive_n[diagonal_rows])
                        grad_media_nd[rows].addmm_(grad_rc, text_cd)
                        grad_text_md[columns].addmm_(grad_rc.T, media_rd)
                grads = [
                    media.finish_gradient_(grad_media_nd, tile).to(media_nd.dtype),
                    text.finish_gradient_(grad_text_md, tile).to(text_md.dtype),
                ]
        # d logsumexp_j(b S_j) / db is the softmax mean of S.
        return *grads, grad_row_n * row_mean_n, grad_column_m * column_mean_m, None, None


class _RunningSums:
    """Sums of exponentials along one side of the matrix, kept relative to the largest exponent seen so far."""

    def __init__(self, like: Tensor, length: int, means: bool) -> None:
        self.top = like.new_full((length,), -torch.inf)
        self.total = like.new_zeros(length)
        self.weighted = like.new_zeros(length)
        self.means = means
        self.floor = _SMALLEST_EXPONENT[like.dtype]

    def add(self, part: slice, scores_rc: Tensor, sharpness: Tensor, work_rc: Tensor, dim: int) -> None:
        """Add a tile, summed over ``dim``; ``sharpness`` broadcasts along it."""
        top = self.top[part]
        new_top = torch.maximum(top, scores_rc.amax(dim) * sharpness.flatten())
        shrink = torch.exp(top - new_top)
        torch.mul(scores_rc, sharpness, out=work_rc)
        work_rc.sub_(new_top.unsqueeze(dim)).clamp_min_(self.floor).exp_()
        self.total[part].mul_(shrink).add_(work_rc.sum(dim))
        if self.means:
            self.weighted[part].mul_(shrink).add_(work_rc.mul_(scores_rc).sum(dim))
        top.copy_(new_top)

    def finish(self) -> tuple[Tensor, Tensor]:
        """Return the log-sum-exps and the softmax means."""
        return self.top + self.total.log(), self.weighted / self.total
