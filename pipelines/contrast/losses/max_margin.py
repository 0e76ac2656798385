"""Max-margin (hinge) loss in both directions, with a margin per pair."""

from typing import Unpack

import torch
from torch import Tensor

from pipelines.contrast.batch import PairInfo, PairOptions, pair_batch, per_pair
from pipelines.contrast.hinge import hinge_both
from pipelines.contrast.losses.base import Loss


def max_margin(media_nd: Tensor, text_nd: Tensor, margin_n: Tensor | float, **options: Unpack[PairOptions]) -> Tensor:
    """Return the max-margin loss of n pairs, both directions, with the margin of the anchor.

    With S = V X^T of the L2-normalised rows::

        L = 1/(2n(n-1)) * sum_i sum_{j != i} [max(0, m_i - S_ii + S_ij) + max(0, m_i - S_ii + S_ji)]

    (MM-TS, arXiv 2603.08202). One pass over tiles of S gives the value and all gradients; memory grows as n. A
    pair alone in its batch has no negatives: its loss and gradients are 0. Sums are kept in float32, or float64
    where an input is.

    Args:
        media_nd: Media embeddings ``[n, d]``; float16, bfloat16, float32 or float64.
        text_nd: Text embeddings ``[n, d]``, row i matching row i of the media.
        margin_n: Margin, a number or one per pair ``[n]``; differentiable.
        **options: As for `info_nce`, with two differences that lie in the loss. The inner sum is a mean over the
            anchor's own negatives, so masking some keeps the loss's scale; an anchor left without any adds 0. With
            ``related="count"`` the mean score of an anchor's positives takes the place of S_ii.

    Returns:
        A scalar in the precision of accumulation.

    Raises:
        InputError: Shapes don't match, a margin isn't positive, or a weight is negative.
    """
    batch = pair_batch(media_nd, text_nd, drop_related=True, **options)
    margin_n = per_pair(margin_n, "margin", media_nd, batch.share_m.dtype)
    weight_m = batch.share_m / (2 * batch.negatives_m)
    weight_m = torch.where(batch.negatives_m > 0, weight_m, 0.0)
    row_bound_n = column_bound_n = margin_n
    # Where each pair's own score is on this process, its gradient is formed with the others.
    subtract_positive = batch.processes is None and batch.positives is None
    if not subtract_positive:
        media_positive_n, text_positive_n = batch.positives or batch.own_scores()
        row_bound_n, column_bound_n = margin_n - media_positive_n, margin_n - text_positive_n
    share = hinge_both(
        batch.media_nd,
        batch.text_md,
        row_bound_n,
        batch.gather(column_bound_n),
        weight_m[batch.rows],
        weight_m,
        batch.tiling,
        subtract_positive=subtract_positive,
    )
    return batch.total(share)


class MaxMargin(Loss):
    """Hinge of each pair against every other, in both directions, with the margin of the anchor.

    Without tiles, groups and weights it is::

        def dense(media_nd: Tensor, text_nd: Tensor, margin_n: Tensor) -> Tensor:
            scores_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
            bound_n1 = (margin_n - scores_nn.diagonal())[:, None]
            hinge_nn = (bound_n1 + scores_nn).clamp_min(0) + (bound_n1 + scores_nn.T).clamp_min(0)
            negative_nn = ~torch.eye(len(scores_nn), dtype=torch.bool)
            return (hinge_nn * negative_nn).sum() / (2 * negative_nn.sum()).clamp_min(1)

    Args:
        **options: ``normalize``, ``related``, ``tile_size`` and ``processes``, see `info_nce`.
    """

    name = "max-margin"

    def forward(self, media_nd: Tensor, text_nd: Tensor, level_n: Tensor | float, **pairs: Unpack[PairInfo]) -> Tensor:
        """Return `max_margin` with margins ``level_n``."""
        return max_margin(media_nd, text_nd, level_n, **pairs, **self.options)
