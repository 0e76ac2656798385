"""Hinge sums over every row and every column of a batch, in tiles: the value and all gradients from one pass."""

from functools import partial

import torch
from torch import Tensor

from pipelines.contrast.one_walk import walk_once
from pipelines.contrast.threads import Turn, for_each, slices, walk_tiles
from pipelines.contrast.tiles import Buffers, Tiling, UnitRows, accumulation_dtype, choose_tile_size, dot_rows


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
    walk = partial(_walk, tiling=tiling, subtract_positive=subtract_positive)
    return walk_once(walk, media_nd, text_md, row_bound_n, column_bound_m, row_weight_n, column_weight_m)


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
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the value and the gradients of embeddings and bounds, that for texts only where asked for."""
    dtype = accumulation_dtype(media_nd, text_md)
    n, m = len(media_nd), len(text_md)
    tile = choose_tile_size(media_nd, max(n, m), dtype, tiling.tile_size)
    media, text = (UnitRows(side, dtype, tiling.normalize, tile) for side in (media_nd, text_md))
    parts, device = slices(n, tile), media_nd.device
    positive_n, dot_n = torch.zeros_like(row_bound_n), torch.zeros_like(row_bound_n)
    if subtract_positive:

        def score_positives(rows: slice) -> None:
            positive_n[rows] = dot_rows(media[rows], text[rows])

        for_each(score_positives, parts, device)
        row_bound_n, column_bound_m = row_bound_n - positive_n, column_bound_m - positive_n
    buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
    row_count_n, column_count_m = torch.zeros_like(row_bound_n), torch.zeros_like(column_bound_m)
    grad_media_nd = torch.zeros_like(media_nd, dtype=dtype)
    grad_text_md = torch.zeros_like(text_md, dtype=dtype)

    row_least_n1, column_least_m = -row_bound_n[:, None], -column_bound_m
    row_weight_n1 = row_weight_n[:, None]

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        media_rd, text_cd = media[rows], text[columns]
        scores_rc, active_rc = buffers.views(len(media_rd), len(text_cd))
        torch.mm(media_rd, text_cd.T, out=scores_rc)
        tiling.mask_(scores_rc, rows, columns)
        torch.gt(scores_rc, row_least_n1[rows], out=active_rc)
        scores_rc.gt_(column_least_m[columns])
        count_r = active_rc.sum(1)
        column_count_m[columns] += scores_rc.sum(0)
        active_rc.mul_(row_weight_n1[rows]).addcmul_(scores_rc, column_weight_m[columns])
        if text_gradient:
            grad_text_md[columns].addmm_(active_rc.T, media_rd)
        with turn:
            row_count_n[rows] += count_r
            grad_media_nd[rows].addmm_(active_rc, text_cd)

    walk_tiles(visit, n, m, tile, device)
    row_count_n.mul_(row_weight_n)
    column_count_m.mul_(column_weight_m)
    # The sum is linear in scores and bounds where the mask is constant: it equals the sum of each input times its
    # gradient, and needs no pass over tiles of its own.
    pull_n1 = (row_count_n + column_count_m)[:, None] if subtract_positive else None

    def finish(rows: slice) -> None:
        media_rd, text_rd = media[rows], text[rows]
        dot_n[rows] = dot_rows(media_rd, grad_media_nd[rows])
        if pull_n1 is not None:
            grad_media_nd[rows].addcmul_(text_rd, pull_n1[rows], value=-1)
            grad_text_md[rows].addcmul_(media_rd, pull_n1[rows], value=-1)

    for_each(finish, parts, device)
    value = (row_count_n * row_bound_n).sum() + (column_count_m * column_bound_m).sum() + dot_n.sum()
    gradients = (
        media.finish_gradient_(grad_media_nd, tile),
        text.finish_gradient_(grad_text_md, tile),
        row_count_n,
        column_count_m,
    )
    return value, gradients
