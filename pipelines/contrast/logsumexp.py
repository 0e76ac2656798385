"""Log-sum-exp of the scores of every row and every column of a batch, in tiles, differentiable."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pipelines.contrast.threads import Turn, walk_tiles
from pipelines.contrast.tiles import Buffers, Tiling, UnitRows, choose_tile_size

# exp() of minus this is below any rounding error of a sum that is at least 1, and well above the subnormal numbers,
# on which a CPU is a hundred times slower; sums of exp() of plus this don't overflow.
_LARGEST_EXPONENT = {torch.float32: 60.0, torch.float64: 600.0}

_LOG2_E = 1 / math.log(2)


class RowsAndColumns(NamedTuple):
    """What a walk over the scores S of n media rows and m text columns yields.

    Attributes:
        row_n: log sum_j w_j exp(S_ij / temperature_i), differentiable; w is 1 unless `Prior` says otherwise.
        column_m: log sum_i w_i exp(S_ij / temperature_j), differentiable.
        positive_n: S_ii, differentiable.
        row_mean_n: Mean of S_ij under the softmax of row i, a constant; zeros unless asked for.
        column_mean_m: The same for columns.
    """

    row_n: Tensor
    column_m: Tensor
    positive_n: Tensor
    row_mean_n: Tensor
    column_mean_m: Tensor


class Prior(NamedTuple):
    """Weights of candidates inside the sums, positive constants.

    Attributes:
        row_n: w_i, of each row as a candidate of the columns ``[n]``.
        column_m: w_j, of each column as a candidate of the rows ``[m]``.
    """

    row_n: Tensor
    column_m: Tensor


def logsumexp_both(
    media_nd: Tensor,
    text_md: Tensor,
    row_scale_n: Tensor,
    column_scale_m: Tensor,
    tiling: Tiling,
    *,
    means: bool = False,
    prior: Prior | None = None,
) -> RowsAndColumns:
    """Compute log-sum-exps over rows and columns of the score matrix from one pass over its tiles.

    The backward pass walks over the tiles once more. Each thread holds two tiles of scores.

    Args:
        media_nd: Media embeddings ``[n, d]``.
        text_md: Text embeddings ``[m, d]``.
        row_scale_n: Logit scale, 1 / temperature, of each row ``[n]``, positive.
        column_scale_m: Logit scale, 1 / temperature, of each column ``[m]``, positive.
        tiling: How to walk.
        means: Also return the softmax means of the scores.
        prior: Weights of candidates; 1 if None.
    """
    means = means or row_scale_n.requires_grad or column_scale_m.requires_grad
    found = _LogSumExp.apply(  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
        media_nd, text_md, row_scale_n, column_scale_m, tiling, means, prior
    )
    return RowsAndColumns(*found)


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        media_nd: Tensor,
        text_md: Tensor,
        row_scale_n: Tensor,
        column_scale_m: Tensor,
        tiling: Tiling,
        means: bool,
        prior: Prior | None,
    ) -> tuple[Tensor, ...]:
        with torch.autocast(media_nd.device.type, enabled=False):
            bounded = _bounded(row_scale_n, column_scale_m, tiling)
            found = _sums(media_nd, text_md, row_scale_n, column_scale_m, tiling, means, bounded, prior)
        ctx.save_for_backward(
            media_nd,
            text_md,
            row_scale_n,
            column_scale_m,
            found.row_n,
            found.column_m,
            found.row_mean_n,
            found.column_mean_m,
        )
        ctx.tiling, ctx.bounded, ctx.prior = tiling, bounded, prior
        ctx.mark_non_differentiable(found.row_mean_n, found.column_mean_m)
        return found

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_row_n: Tensor, grad_column_m: Tensor, grad_positive_n: Tensor, *_: Tensor
    ) -> tuple[Tensor | None, ...]:
        row_mean_n, column_mean_m = ctx.saved_tensors[-2:]
        grads: tuple[Tensor | None, Tensor | None] = (None, None)
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            with torch.autocast(grad_row_n.device.type, enabled=False):
                grads = _gradients(
                    *ctx.saved_tensors[:-2],
                    grad_row_n=grad_row_n,
                    grad_column_m=grad_column_m,
                    grad_positive_n=grad_positive_n,
                    tiling=ctx.tiling,
                    bounded=ctx.bounded,
                    prior=ctx.prior,
                )
        # d logsumexp_j(b S_j) / db is the softmax mean of S.
        return *grads, grad_row_n * row_mean_n, grad_column_m * column_mean_m, None, None, None


def _sums(
    media_nd: Tensor,
    text_md: Tensor,
    row_scale_n: Tensor,
    column_scale_m: Tensor,
    tiling: Tiling,
    means: bool,
    bounded: bool,
    prior: Prior | None,
) -> RowsAndColumns:
    """Walk over the tiles once for the log-sum-exps."""
    dtype = row_scale_n.dtype
    n, m = len(media_nd), len(text_md)
    tile = choose_tile_size(media_nd, max(n, m), dtype, tiling.tile_size)
    media, text = (UnitRows(side, dtype, tiling.normalize, tile) for side in (media_nd, text_md))
    buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
    row = _RunningSums(row_scale_n, bounded, means, None if prior is None else prior.column_m)
    column = _RunningSums(column_scale_m, bounded, means, None if prior is None else prior.row_n)
    positive_n = torch.zeros_like(row.total)

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        media_rd, text_cd = media[rows], text[columns]
        scores_rc, work_rc = buffers.views(len(media_rd), len(text_cd))
        torch.mm(media_rd, text_cd.T, out=scores_rc)
        diagonal, diagonal_rows = tiling.diagonal(scores_rc, rows, columns)
        positive_n[diagonal_rows] = diagonal
        tiling.mask_(scores_rc, rows, columns)
        column.add(columns, rows, scores_rc, work_rc, dim=0)
        with turn:
            row.add(rows, columns, scores_rc, work_rc, dim=1)

    walk_tiles(visit, n, m, tile, media_nd.device)
    row_n, row_mean_n = row.finish()
    column_m, column_mean_m = column.finish()
    return RowsAndColumns(row_n, column_m, positive_n, row_mean_n, column_mean_m)


def _gradients(
    media_nd: Tensor,
    text_md: Tensor,
    row_scale_n: Tensor,
    column_scale_m: Tensor,
    row_n: Tensor,
    column_m: Tensor,
    *,
    grad_row_n: Tensor,
    grad_column_m: Tensor,
    grad_positive_n: Tensor,
    tiling: Tiling,
    bounded: bool,
    prior: Prior | None,
) -> tuple[Tensor, Tensor]:
    """Walk over the tiles once for the gradients of media and text, both directions' added up in each tile."""
    dtype = row_n.dtype
    n, m = len(media_nd), len(text_md)
    tile = choose_tile_size(media_nd, max(n, m), dtype, tiling.tile_size)
    media, text = (UnitRows(side, dtype, tiling.normalize, tile) for side in (media_nd, text_md))
    buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
    row_factor_n, column_factor_m = grad_row_n * row_scale_n, grad_column_m * column_scale_m
    if bounded:
        row_factor_n.mul_(torch.exp(-row_n))
        column_factor_m.mul_(torch.exp(-column_m))
    grad_media_nd = torch.zeros_like(media_nd, dtype=dtype)
    grad_text_md = torch.zeros_like(text_md, dtype=dtype)

    row_power_n1, column_power_m = _of_powers(row_scale_n[:, None], bounded), _of_powers(column_scale_m, bounded)
    row_top_n1, row_factor_n1 = row_n[:, None], row_factor_n[:, None]

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        media_rd, text_cd = media[rows], text[columns]
        scores_rc, grad_rc = buffers.views(len(media_rd), len(text_cd))
        torch.mm(media_rd, text_cd.T, out=scores_rc)
        tiling.mask_(scores_rc, rows, columns)
        _powers(scores_rc, row_power_n1[rows], None if bounded else row_top_n1[rows], grad_rc)
        _powers(scores_rc, column_power_m[columns], None if bounded else column_m[columns], scores_rc)
        if prior is not None:
            grad_rc.mul_(prior.column_m[columns])
            scores_rc.mul_(prior.row_n[rows, None])
        grad_rc.mul_(row_factor_n1[rows]).addcmul_(scores_rc, column_factor_m[columns])
        diagonal, diagonal_rows = tiling.diagonal(grad_rc, rows, columns)
        diagonal.add_(grad_positive_n[diagonal_rows])
        grad_text_md[columns].addmm_(grad_rc.T, media_rd)
        with turn:
            grad_media_nd[rows].addmm_(grad_rc, text_cd)

    walk_tiles(visit, n, m, tile, media_nd.device)
    return (
        media.finish_gradient_(grad_media_nd, tile).to(media_nd.dtype),
        text.finish_gradient_(grad_text_md, tile).to(text_md.dtype),
    )


class _RunningSums:
    """Sums of exponentials along one side of the matrix.

    Where exponents are bounded they are summed as they are. Otherwise sums are relative to the largest exponent seen so
    far, which grows as tiles come in.
    """

    def __init__(self, scale: Tensor, bounded: bool, means: bool, candidate_weight: Tensor | None) -> None:
        self.scale = _of_powers(scale, bounded)
        self.candidate_weight = candidate_weight
        self.total = scale.new_zeros(len(scale))
        self.weighted = scale.new_zeros(len(scale))
        self.top = None if bounded else scale.new_full((len(scale),), -torch.inf)
        self.means = means

    def add(self, part: slice, candidates: slice, scores_rc: Tensor, work_rc: Tensor, dim: int) -> None:
        """Add a tile to the sums of ``part``, which run over ``candidates`` along ``dim`` of the tile."""
        scale, reference = self.scale[part].unsqueeze(dim), None
        if self.top is not None:
            old_top = self.top[part]
            top = torch.maximum(old_top, scores_rc.amax(dim) * self.scale[part])
            shrink = torch.exp(old_top - top)
            self.total[part] *= shrink
            self.weighted[part] *= shrink
            self.top[part] = top
            reference = top.unsqueeze(dim)
        _powers(scores_rc, scale, reference, work_rc)
        if self.candidate_weight is not None:
            work_rc.mul_(self.candidate_weight[candidates].unsqueeze(1 - dim))
        self.total[part] += work_rc.sum(dim)
        if self.means:
            self.weighted[part] += work_rc.mul_(scores_rc).sum(dim)

    def finish(self) -> tuple[Tensor, Tensor]:
        """Return the log-sum-exps and the softmax means; finite, if meaningless, where every score was masked."""
        total = self.total.clamp_min(torch.finfo(self.total.dtype).tiny)
        sums = total.log() if self.top is None else self.top + total.log()
        return sums, self.weighted / total


def _of_powers(scale: Tensor, bounded: bool) -> Tensor:
    """The scale that `_powers` takes: that of powers of two, unless a reference is taken off first."""
    return scale * _LOG2_E if bounded else scale


def _powers(scores_rc: Tensor, scale: Tensor, reference: Tensor | None, out_rc: Tensor) -> None:
    """Write exp(logit scale * score - reference) to a tile, without producing subnormal numbers.

    As powers of two: torch takes three times as long for exp() on CPUs that Intel's vector library isn't made for. The
    reference is taken off before the change of base, whose rounding would else remain where the two nearly cancel.

    Args:
        scores_rc: The tile.
        scale: From `_of_powers`.
        reference: None where exponents are bounded.
        out_rc: Where to write; may be the tile itself.
    """
    torch.mul(scores_rc, scale, out=out_rc)
    if reference is not None:
        out_rc.sub_(reference).clamp_min_(-_LARGEST_EXPONENT[out_rc.dtype]).mul_(_LOG2_E)
    out_rc.exp2_()


def _bounded(row_scale_n: Tensor, column_scale_m: Tensor, tiling: Tiling) -> bool:
    """Whether exponents, for unit rows at most the logit scale, can be summed as they are: in half the passes.

    It is the one thing that a loss reads from the device, once for both passes.
    """
    if not tiling.normalize:
        return False
    largest = torch.stack([side.max() for side in (row_scale_n, column_scale_m) if len(side)]).max()
    return bool(largest <= _LARGEST_EXPONENT[row_scale_n.dtype])
