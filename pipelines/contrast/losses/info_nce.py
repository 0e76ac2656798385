"""InfoNCE in both directions, with a temperature per pair."""

from typing import Unpack

import torch
from torch import Tensor

from pipelines.contrast.batch import PairBatch, PairInfo, PairOptions, pair_batch, per_pair
from pipelines.contrast.logsumexp import Prior, RowsAndColumns, logsumexp_both
from pipelines.contrast.losses.base import Loss


def info_nce(
    media_nd: Tensor,
    text_nd: Tensor,
    temperature_n: Tensor | float,
    *,
    text_temperature_n: Tensor | float | None = None,
    **options: Unpack[PairOptions],
) -> Tensor:
    """Return the InfoNCE loss of n pairs, both directions, at the temperature of the anchor.

    With S = V X^T of the L2-normalised rows::

        L = 1/(2n) * sum_i [CE(S[i, :] / tau_i, i) + CE(S[:, i] / tau_i, i)]

    (MM-TS, arXiv 2603.08202; with one constant temperature the loss of CLIP, arXiv 2103.00020). S is walked over
    in tiles, once for the value and once for the gradients; memory grows as n. Sums are kept in float32, or
    float64 where an input is.

    Args:
        media_nd: Media embeddings ``[n, d]``; float16, bfloat16, float32 or float64.
        text_nd: Text embeddings ``[n, d]``, row i matching row i of the media.
        temperature_n: Temperature, a number or one per pair ``[n]``; differentiable.
        text_temperature_n: Temperature of the text anchors where it is another than that of the media anchors.
        **options: ``normalize``: L2-normalise rows first (default true).
            ``media_group_n``, ``text_group_n``: integer ids ``[n]``; rows that share either are related (captions
            of one image; clips with one sentence).
            ``related``: ``"mask"`` (default) leaves related pairs out of the negatives; ``"count"`` makes them
            positives, the loss being the mean over an anchor's positives (arXiv 2004.11362, eq. 2).
            ``weight_n``: weights of pairs ``[n]``, a constant; the loss is the weighted mean over anchors.
            ``adjustment_n``: what is added to the logits that have a pair as candidate, positive or negative, a
            constant ``[n]``: logit adjustment (arXiv 2007.07314) with w log(n_c / N).
            ``tile_size``: rows and columns of a tile, by default chosen from the memory there is.
            ``processes``: the `Processes` that share the batch; then arguments are this process's pairs.

    Returns:
        A scalar in the precision of accumulation.

    Raises:
        InputError: Shapes don't match, a temperature isn't positive, or a weight is negative.
    """
    batch = pair_batch(media_nd, text_nd, drop_related=False, **options)
    dtype = batch.share_m.dtype
    media_temperature_n = per_pair(temperature_n, "temperature", media_nd, dtype)
    if text_temperature_n is None:
        text_temperature_n = media_temperature_n
    text_temperature_n = per_pair(text_temperature_n, "temperature", media_nd, dtype)
    sums = anchor_sums(batch, media_temperature_n, text_temperature_n)
    media_positive_n, text_positive_n = batch.positives or (sums.positive_n, sums.positive_n)
    loss_n = sums.row_n - media_positive_n / media_temperature_n
    loss_n = loss_n + sums.column_m - text_positive_n / text_temperature_n
    if batch.adjustment_m is not None:
        loss_n = loss_n - 2 * batch.positive_adjustment(batch.adjustment_m)
    return batch.total((loss_n * batch.share_m[batch.rows]).sum() / 2)


def anchor_sums(
    batch: PairBatch, media_temperature_n: Tensor, text_temperature_n: Tensor, *, means: bool = False
) -> RowsAndColumns:
    """Return the log-sum-exps of this process's anchors, media as rows and text as columns.

    A process walks over its own media rows and all text columns: both directions come from the same tile. Its rows
    are then complete and its columns partial; the partial ones of all processes are combined.

    Args:
        batch: The pairs.
        media_temperature_n: Temperature of this process's media anchors.
        text_temperature_n: Temperature of this process's text anchors.
        means: Also return the softmax means of the scores.
    """
    adjustment_m, prior, highest = batch.adjustment_m, None, None
    if adjustment_m is not None:
        highest = adjustment_m.max()  # taken out of the sums, where it would over- or underflow
        weight_m = torch.exp(adjustment_m - highest)
        prior = Prior(weight_m[batch.rows], weight_m)
    sums = logsumexp_both(
        batch.media_nd,
        batch.text_md,
        media_temperature_n.reciprocal(),
        batch.gather(text_temperature_n.reciprocal()),
        batch.tiling,
        means=means,
        prior=prior,
    )
    if highest is not None:
        sums = sums._replace(row_n=sums.row_n + highest, column_m=sums.column_m + highest)
    if batch.processes is None:
        return sums
    one_each = [1] * batch.processes.world_size
    partial_wn = batch.processes.gather(sums.column_m[None], one_each)[:, batch.rows]
    column_n = torch.logsumexp(partial_wn, 0)
    mean_n = sums.column_mean_m[batch.rows]
    if means:
        mean_wn = batch.processes.gather(sums.column_mean_m[None], one_each)[:, batch.rows]
        mean_n = (torch.exp(partial_wn - column_n).detach() * mean_wn).sum(0)
    return sums._replace(column_m=column_n, column_mean_m=mean_n)


class InfoNCE(Loss):
    """Cross-entropy of each pair among the batch, in both directions, at the temperature of the anchor.

    Without tiles, groups and weights it is::

        def dense(media_nd: Tensor, text_nd: Tensor, temperature_n: Tensor) -> Tensor:
            scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
            pair_n = torch.arange(len(scores_nn))
            media_to_text = cross_entropy(scores_nn / temperature_n[:, None], pair_n)
            text_to_media = cross_entropy(scores_nn.T / temperature_n[:, None], pair_n)
            return (media_to_text + text_to_media) / 2

    Args:
        **options: ``normalize``, ``related``, ``tile_size`` and ``processes``, see `info_nce`.
    """

    name = "infonce"

    def forward(self, media_nd: Tensor, text_nd: Tensor, level_n: Tensor | float, **pairs: Unpack[PairInfo]) -> Tensor:
        """Return `info_nce` at temperatures ``level_n``."""
        return info_nce(media_nd, text_nd, level_n, **pairs, **self.options)
