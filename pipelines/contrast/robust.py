"""The distributionally robust contrastive objective that iSogCLR and TempNet take their temperatures from."""

from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from pipelines.contrast.batch import PairBatch, PairOptions, pair_batch
from pipelines.contrast.losses.info_nce import anchor_sums


class RobustSide(NamedTuple):
    """One side's anchors of this process.

    With D_ij = S_ij - (the anchor's positive score) over the k negatives j of anchor i:

    Attributes:
        log_mean_n: log g_i = log [1/k sum_j exp(D_ij / tau_i)], differentiable; 0 without negatives.
        difference_n: Softmax mean of D_ij, a constant; zeros unless asked for.
    """

    log_mean_n: Tensor
    difference_n: Tensor


def robust_terms(
    media_nd: Tensor,
    text_nd: Tensor,
    media_temperature_n: Tensor,
    text_temperature_n: Tensor,
    *,
    means: bool = False,
    **options: Unpack[PairOptions],
) -> tuple[RobustSide, RobustSide, PairBatch]:
    """Return both sides' terms of the robust objective and the batch they come from.

    The objective of an anchor is ``tau_i (log g_i + rho)`` (Qiu et al., ICML 2023, arXiv 2305.11965).

    Args:
        media_nd: Media embeddings ``[n, d]``.
        text_nd: Text embeddings ``[n, d]``.
        media_temperature_n: Temperature of the media anchors ``[n]``.
        text_temperature_n: Temperature of the text anchors ``[n]``.
        means: Also return the softmax means of the differences.
        **options: See `info_nce`.
    """
    batch = pair_batch(media_nd, text_nd, drop_related=True, **options)
    sums = anchor_sums(batch, media_temperature_n, text_temperature_n, means=means)
    media_positive_n, text_positive_n = batch.positives or (sums.positive_n, sums.positive_n)
    negatives_n = batch.negatives_m[batch.rows]

    def side(sum_n: Tensor, mean_n: Tensor, positive_n: Tensor, temperature_n: Tensor) -> RobustSide:
        log_mean_n = sum_n - positive_n / temperature_n - negatives_n.log()
        difference_n = mean_n - positive_n.detach()
        alone_n = negatives_n == 0
        return RobustSide(log_mean_n.masked_fill(alone_n, 0.0), difference_n.masked_fill(alone_n, 0.0))

    return (
        side(sums.row_n, sums.row_mean_n, media_positive_n, media_temperature_n),
        side(sums.column_m, sums.column_mean_m, text_positive_n, text_temperature_n),
        batch,
    )


def mean_over_anchors(batch: PairBatch, media_value_n: Tensor, text_value_n: Tensor) -> Tensor:
    """Return the weighted mean of both sides' values over all pairs of the batch, a scalar."""
    return batch.total(((media_value_n + text_value_n) * batch.share_m[batch.rows]).sum() / 2)


def gather_pairs(batch: PairBatch, *values_n: Tensor) -> list[Tensor]:
    """Return values of this process's pairs as those of all processes' pairs, constants."""
    with torch.no_grad():
        return [batch.gather(value_n.detach()) for value_n in values_n]
