"""Hinge sums over every row and every column of a batch, in tiles: the value and all gradients from one pass."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pipelines.contrast.tiles import Buffers, Tiling, UnitRows, accumulation_dtype, choose_tile_size, dot_rows, slices


def hinge_both(
    media_nd: Tensor,
    text_md: Tensor,
    row_bound_n: Tensor,
    column_bound_m: Tensor,
    row_weight_n: Tensor,
    column_weight_m: Tensor,
    tiling: Tiling,
    *,
    subtract_positive: bool,
) -> Tensor:
    """Return sum_ij [w_i max(0, b_i + S_ij) + u_j max(0, c_j + S_ij)] over the scores that are not masked.

    Its gradient for S is a 0/1 mask a direction, so one pass over tiles gives the value and the gradients for
    embeddings and bounds; they are kept for the backward pass, which only scales them.

    Args:
        media_nd: Media embeddings ``[n, d]``.
        text_md: Text embeddings ``[m, d]``.
        row_bound_n: b, of each row ``[n]``.
        column_bound_m: c, of each column ``[m]``.
        row_weight_n: w, of each row ``[n]``; a constant.
        column_weight_m: u, of each column ``[m]``; a constant.
        tiling: How to walk.
        subtract_positive: Take b_i - S_ii and c_i - S_ii for the bounds, with gradients; needs n = m. It saves
            forming the positives' gradients apart, which would cost as much memory again as the gradients.
    """
    result: Tensor = _Hinge.apply(  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
        media_nd,
        text_md,
        row_bound_n,
        column_bound_m,
        row_weight_n,
        column_weight_m,
        tiling,
        subtract_positive,
    )
    return result


@dataclass
class _Gradients:
    media_nd: Tensor
    text_md: Tensor
    row_bound_n: Tensor
    column_bound_m: Tensor


def _walk(
    media_nd: Tensor,
    text_md: Tensor,
    row_bound_n: Tensor,
    column_bound_m: Tensor,
    row_weight_n: Tensor,
    column_weight_m: Tensor,
    *,
    tiling: Tiling,
    subtract_positive: bool,
    text_gradient: bool,
) -> tuple[Tensor, _Gradients]:
    """Return the value and its gradients, that for texts only where asked for."""
    dtype = accumulation_dtype(media_nd, text_md)
    n, m = len(media_nd), len(text_md)
    tile = choose_tile_size(media_nd, max(n, m), dtype, tiling.tile_size)
    media, text = (UnitRows(side, dtype, tiling.normalize, tile) for side in (media_nd, text_md))
    if subtract_positive:
        positive_n = torch.cat([dot_rows(media[rows], text[rows]) for rows in slices(n, tile)])
        row_bound_n, column_bound_m = row_bound_n - positive_n, column_bound_m - positive_n
    buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
    row_count_n, column_count_m = torch.zeros_like(row_bound_n), torch.zeros_like(column_bound_m)
    grad_media_nd = torch.zeros_like(media_nd, dtype=dtype)
    grad_text_md = torch.zeros_like(text_md, dtype=dtype)
    for columns in slices(m, tile):
        text_cd = text[columns]
        for rows in slices(n, tile):
            scores_rc, active_rc = buffers.views(rows, columns)
            media_rd = media[rows]
            torch.mm(media_rd, text_cd.T, out=scores_rc)
            tiling.mask_(scores_rc, rows, columns)
            torch.gt(scores_rc, -row_bound_n[rows, None], out=active_rc)
            scores_rc.gt_(-column_bound_m[columns])
            row_count_n[rows] += active_rc.sum(1)
            column_count_m[columns] += scores_rc.sum(0)
            active_rc.mul_(row_weight_n[rows, None]).addcmul_(scores_rc, column_weight_m[None, columns])
            grad_media_nd[rows].addmm_(active_rc, text_cd)
            if text_gradient:
                grad_text_md[columns].addmm_(active_rc.T, media_rd)
    row_count_n.mul_(row_weight_n)
    column_count_m.mul_(column_weight_m)
    # The sum is linear in scores and bounds where the mask is constant: it equals the sum of each input times its
    # gradient, and needs no pass over tiles of its own.
    value = (row_count_n * row_bound_n).sum() + (column_count_m * column_bound_m).sum()
    for rows in slices(n, tile):
        value += dot_rows(media[rows], grad_media_nd[rows]).sum()
    if subtract_positive:
        pull_n1 = (row_count_n + column_count_m)[:, None]
        for rows in slices(n, tile):
            media_rd, text_rd = media[rows], text[rows]
            grad_media_nd[rows].addcmul_(text_rd, pull_n1[rows], value=-1)
            grad_text_md[rows].addcmul_(media_rd, pull_n1[rows], value=-1)
    return value, _Gradients(
        media.finish_gradient_(grad_media_nd, tile),
        text.finish_gradient_(grad_text_md, tile),
        row_count_n,
        column_count_m,
    )


class _Hinge(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        media_nd: Tensor,
        text_md: Tensor,
        row_bound_n: Tensor,
        column_bound_m: Tensor,
        row_weight_n: Tensor,
        column_weight_m: Tensor,
        tiling: Tiling,
        subtract_positive: bool,
    ) -> Tensor:
        inputs = (media_nd, text_md, row_bound_n, column_bound_m, row_weight_n, column_weight_m)
        with torch.autocast(media_nd.device.type, enabled=False):
            value, gradients = _walk(
                *inputs,
                tiling=tiling,
                subtract_positive=subtract_positive,
                text_gradient=ctx.needs_input_grad[1],
            )
        ctx.gradients = gradients if any(ctx.needs_input_grad) else None
        ctx.save_for_backward(*inputs)
        ctx.tiling, ctx.subtract_positive = tiling, subtract_positive
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        found, ctx.gradients = ctx.gradients, None
        if found is None:  # a second backward through a retained graph: the first one scaled them in place
            with torch.autocast(ctx.saved_tensors[0].device.type, enabled=False):
                _, found = _walk(
                    *ctx.saved_tensors, tiling=ctx.tiling, subtract_positive=ctx.subtract_positive, text_gradient=True
                )
        parts = (found.media_nd, found.text_md, found.row_bound_n, found.column_bound_m)
        # Scaled before they are rounded to half precision: a gradient scaler is there to save the small ones.
        scaled = (part.mul_(grad).to(given.dtype) for part, given in zip(parts, ctx.saved_tensors, strict=False))
        return *scaled, None, None, None, None
