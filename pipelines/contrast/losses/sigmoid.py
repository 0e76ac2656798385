"""Sigmoid loss, with a temperature per pair and a learned bias."""

from functools import partial
from typing import Unpack

import torch
from torch import Tensor, nn

from pipelines.contrast.batch import LossOptions, PairInfo, PairOptions, pair_batch, per_pair
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.one_walk import walk_once
from pipelines.contrast.registry import LOSSES
from pipelines.contrast.relations import Relations
from pipelines.contrast.threads import Turn, for_each, slices, walk_tiles
from pipelines.contrast.tiles import Buffers, Tiling, UnitRows, choose_tile_size, dot_rows

FIRST_BIAS = LOSSES["sigmoid"].defaults["bias"]


def sigmoid(
    media_nd: Tensor,
    text_nd: Tensor,
    temperature_n: Tensor | float,
    bias: Tensor | float = FIRST_BIAS,
    **options: Unpack[PairOptions],
) -> Tensor:
    """Return the sigmoid loss of n pairs, at the temperature of the media anchor.

    With S = V X^T of the L2-normalised rows, and z = 1 for a pair that belongs together, -1 for any other::

        L = 1/n * sum_ij softplus(-z_ij * (S_ij / tau_i + b))

    (SigLIP, arXiv 2303.15343, as in its code: the formula of its text has -b, with which b would start at +10.) A
    score belongs to two anchors but enters once, so it takes the temperature of one of them: that of its medium. One
    pass over tiles of S gives the value and all gradients; memory grows as n. Sums are kept in float32, or float64
    where an input is.

    Args:
        media_nd: Media embeddings ``[n, d]``; float16, bfloat16, float32 or float64.
        text_nd: Text embeddings ``[n, d]``, row i matching row i of the media.
        temperature_n: Temperature, a number or one per pair ``[n]``; differentiable.
        bias: b, a scalar; differentiable.
        **options: As for `info_nce`, with differences that lie in the loss. With ``related="count"`` z is 1 for
            related pairs, each of which counts by itself. Weights are those of rows of S; the candidates, to whose
            logits ``adjustment_n`` is added, are its columns.

    Returns:
        A scalar in the precision of accumulation.

    Raises:
        InputError: Shapes don't match, a temperature isn't positive, or a weight is negative.
    """
    batch = pair_batch(media_nd, text_nd, drop_related=False, **options)
    dtype = batch.share_m.dtype
    bias_m = torch.as_tensor(bias, dtype=dtype, device=media_nd.device).expand(len(batch.text_md))
    if batch.adjustment_m is not None:
        bias_m = bias_m + batch.adjustment_m
    share = walk_once(
        partial(_walk, tiling=batch.tiling, positives=batch.positive_relations),
        batch.media_nd,
        batch.text_md,
        per_pair(temperature_n, "temperature", media_nd, dtype).reciprocal(),
        bias_m,
        batch.share_m[batch.rows],
    )
    return batch.total(share)


def _walk(
    media_nd: Tensor,
    text_md: Tensor,
    scale_n: Tensor,
    bias_m: Tensor,
    weight_n: Tensor,
    *,
    tiling: Tiling,
    positives: Relations | None,
    text_gradient: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the sum over rows of ``weight_n`` times their loss, and the gradients of all other inputs."""
    dtype = scale_n.dtype
    n, m = len(media_nd), len(text_md)
    tile = choose_tile_size(media_nd, max(n, m), dtype, tiling.tile_size)
    media, text = (UnitRows(side, dtype, tiling.normalize, tile) for side in (media_nd, text_md))
    buffers = Buffers(media_nd, dtype, min(tile, n), min(tile, m))
    factor_n = weight_n * scale_n
    loss_n, zero = torch.zeros_like(scale_n), scale_n.new_zeros(())
    grad_bias_m = scale_n.new_zeros(m)
    grad_media_nd = torch.zeros_like(media_nd, dtype=dtype)
    grad_text_md = torch.zeros_like(text_md, dtype=dtype)

    def visit(rows: slice, columns: slice, turn: Turn) -> None:
        media_rd, text_cd = media[rows], text[columns]
        logits_rc, work_rc = buffers.views(len(media_rd), len(text_cd))
        torch.mm(media_rd, text_cd.T, out=logits_rc)
        tiling.mask_(logits_rc, rows, columns)
        logits_rc.mul_(scale_n[rows, None]).add_(bias_m[columns])
        # softplus(-z x) is that of a negative at x, or of a positive at -x; so are their derivatives.
        _negate_positives_(logits_rc, rows, columns, tiling, positives)
        loss_r = torch.logaddexp(logits_rc, zero, out=work_rc).sum(1)
        logits_rc.sigmoid_()
        _negate_positives_(logits_rc, rows, columns, tiling, positives)
        grad_bias_m[columns] += weight_n[rows] @ logits_rc
        logits_rc.mul_(factor_n[rows, None])
        if text_gradient:
            grad_text_md[columns].addmm_(logits_rc.T, media_rd)
        with turn:
            loss_n[rows] += loss_r
            grad_media_nd[rows].addmm_(logits_rc, text_cd)

    walk_tiles(visit, n, m, tile, media_nd.device)
    moment_n = torch.zeros_like(scale_n)

    def finish(rows: slice) -> None:
        # What a row's scores add up to, each times its gradient, needs no pass over tiles of its own.
        moment_n[rows] = dot_rows(media[rows], grad_media_nd[rows])

    for_each(finish, slices(n, tile), media_nd.device)
    gradients = (
        media.finish_gradient_(grad_media_nd, tile),
        text.finish_gradient_(grad_text_md, tile),
        moment_n / scale_n,
        grad_bias_m,
    )
    return (loss_n * weight_n).sum(), gradients


def _negate_positives_(
    values_rc: Tensor, rows: slice, columns: slice, tiling: Tiling, positives: Relations | None
) -> None:
    if positives is None:
        tiling.diagonal(values_rc, rows, columns)[0].neg_()
    else:
        is_positive_rc = positives.mask(slice(rows.start + tiling.offset, rows.stop + tiling.offset), columns)
        values_rc.copy_(torch.where(is_positive_rc, -values_rc, values_rc))


class Sigmoid(Loss):
    """Each pair of the batch classified by itself as matching or not, with a learned bias.

    Without tiles, groups and weights, and b being the bias, it is::

        def dense(media_nd: Tensor, text_nd: Tensor, temperature_n: Tensor, b: float = -10.0) -> Tensor:
            scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
            sign_nn = 2 * torch.eye(len(scores_nn)) - 1
            return softplus(-sign_nn * (scores_nn / temperature_n[:, None] + b)).sum() / len(scores_nn)

    Args:
        bias: First value of b. At about minus the log of the batch size positives and negatives start with equal
            weight; far below that, positives pull all embeddings together first.
        **options: ``normalize``, ``related``, ``tile_size`` and ``processes``, see `info_nce`.
    """

    name = "sigmoid"

    def __init__(self, bias: float = FIRST_BIAS, **options: Unpack[LossOptions]) -> None:
        super().__init__(**options)
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, media_nd: Tensor, text_nd: Tensor, level_n: Tensor | float, **pairs: Unpack[PairInfo]) -> Tensor:
        """Return `sigmoid` at temperatures ``level_n``."""
        return sigmoid(media_nd, text_nd, level_n, self.bias, **pairs, **self.options)
