"""The arguments all losses share, checked and, where the batch is spread over processes, gathered."""

from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.contrast.processes import Processes
from pipelines.contrast.relations import Relations
from pipelines.contrast.tiles import Tiling, accumulation_dtype
from pipelines.errors import InputError

Related = Literal["mask", "count"]


class LossOptions(TypedDict, total=False):
    """What stays the same over a run, whatever the loss; see `info_nce` for the meaning."""

    normalize: bool
    related: Related
    tile_size: int | None
    processes: Processes | None


class PairInfo(TypedDict, total=False):
    """What a loss may be told of each pair of a batch beside its temperature; see `info_nce` for the meaning."""

    media_group_n: Tensor | None
    text_group_n: Tensor | None
    weight_n: Tensor | None
    adjustment_n: Tensor | None


class PairOptions(LossOptions, PairInfo, total=False):
    """What a loss takes beside embeddings and temperatures; see `info_nce` for the meaning."""


@dataclass(frozen=True)
class PairBatch:
    """A batch of m pairs, of which this process holds n: all of them, unless the batch is spread.

    Attributes:
        media_nd: This process's media embeddings.
        text_md: The text embeddings of all processes, gathered with gradients.
        rows: Where this process's pairs are among all.
        share_m: Each pair's share of the loss, its weight over the sum of weights.
        negatives_m: Number of negatives of each pair.
        positives: Score of each of this process's pairs as (media anchor, text anchor), where it isn't the diagonal
            of the score matrix.
        adjustment_m: What is added to the logits that have each pair as a candidate, or ``None`` for nothing.
        positive_relations: Groups whose related pairs are positives, or ``None``.
        tiling: How to walk over the scores.
    """

    media_nd: Tensor
    text_md: Tensor
    rows: slice
    counts: list[int]
    share_m: Tensor
    negatives_m: Tensor
    positives: tuple[Tensor, Tensor] | None
    adjustment_m: Tensor | None
    positive_relations: Relations | None
    tiling: Tiling
    processes: Processes | None

    def gather(self, value_n: Tensor) -> Tensor:
        """Return one value per pair of all processes ``[m]``, differentiable."""
        return self.processes.gather(value_n, self.counts) if self.processes else value_n

    def own_scores(self) -> tuple[Tensor, Tensor]:
        """Return the score of each of this process's pairs, as media and as text anchors ``[n]``."""
        dtype, normalize = self.share_m.dtype, self.tiling.normalize
        media_nd, text_nd = (_unit(side, dtype, normalize) for side in (self.media_nd, self.text_md[self.rows]))
        score_n = (media_nd * text_nd).sum(1)
        return score_n, score_n

    def positive_adjustment(self, value_m: Tensor) -> Tensor:
        """Return what is added to the positives of each of this process's pairs, the mean over them ``[n]``."""
        if self.positive_relations is not None:
            value_m = self.positive_relations.sum(value_m[:, None])[:, 0] / self.positive_relations.count_m
        return value_m[self.rows]

    def total(self, loss: Tensor) -> Tensor:
        """Return the loss of the whole batch from this process's share of it.

        The value is the sum over processes. The gradient is that of world_size * share, so that averaging over
        processes, as DistributedDataParallel does, gives the gradient of the sum.
        """
        if self.processes is None:
            return loss
        scaled = loss * self.processes.world_size
        return scaled + (self.processes.sum(loss) - scaled.detach())


def pair_batch(
    media_nd: Tensor,
    text_nd: Tensor,
    *,
    drop_related: bool,
    normalize: bool = True,
    media_group_n: Tensor | None = None,
    text_group_n: Tensor | None = None,
    related: Related = "mask",
    weight_n: Tensor | None = None,
    adjustment_n: Tensor | None = None,
    tile_size: int | None = None,
    processes: Processes | None = None,
) -> PairBatch:
    """Check what the losses share and gather it from all processes.

    Args:
        media_nd: Media embeddings.
        text_nd: Text embeddings.
        drop_related: Whether a pair's positives take no part in the sums over negatives, as in hinge losses;
            InfoNCE keeps them.
        normalize: See `info_nce`, as for the rest.
        media_group_n: Group ids of media.
        text_group_n: Group ids of texts.
        related: What pairs of one group are.
        weight_n: Weights of pairs.
        adjustment_n: What is added to logits.
        tile_size: Size of tiles.
        processes: The processes that share the batch.

    Raises:
        InputError: Shapes don't match, a weight is negative, all are zero, or there are no logits to adjust.
    """
    if drop_related and adjustment_n is not None:
        raise InputError("adjustment_n adds to the logits of InfoNCE or the sigmoid loss; leave it out with others")
    if media_nd.ndim != 2 or media_nd.shape != text_nd.shape:
        raise InputError(
            f"media and text embeddings have shapes {tuple(media_nd.shape)} and {tuple(text_nd.shape)}; "
            "give one row per pair and the same number of columns on both sides"
        )
    if related not in ("mask", "count"):
        raise InputError(f"related is {related!r}; choose 'mask' or 'count'")
    n, device = len(media_nd), media_nd.device
    by_pair = {"media_group_n": media_group_n, "text_group_n": text_group_n}
    by_pair |= {"weight_n": weight_n, "adjustment_n": adjustment_n}
    for name, value_n in by_pair.items():
        if value_n is not None and value_n.shape != (n,):
            raise InputError(f"{name} has shape {tuple(value_n.shape)}; give one value for each of the {n} pairs")
    counts = processes.counts(n, device) if processes else [n]
    m = sum(counts)
    if m == 0:
        raise InputError("the batch is empty; give at least one pair")
    start = sum(counts[: processes.rank]) if processes else 0
    rows = slice(start, start + n)

    def gather(value: Tensor) -> Tensor:
        return processes.gather(value, counts) if processes else value

    dtype = accumulation_dtype(media_nd, text_nd)
    text_md = gather(text_nd)
    share_m = _shares(gather(weight_n.detach().to(dtype)), m) if weight_n is not None else None
    if share_m is None:
        share_m = torch.full((m,), 1 / m, dtype=dtype, device=device)
    positives = relations = None
    negatives_m = torch.full((m,), m - 1, dtype=dtype, device=device)
    if media_group_n is not None or text_group_n is not None:
        relations = Relations(
            None if media_group_n is None else gather(media_group_n),
            None if text_group_n is None else gather(text_group_n),
        )
        count_m = relations.count_m
        negatives_m = (m - count_m).to(dtype)
        if related == "count":
            sides = (gather(media_nd), text_md)
            unit = [_unit(side, dtype, normalize) for side in sides]
            mean = [relations.sum(side) / count_m[:, None] for side in unit]
            positives = ((unit[0] * mean[1]).sum(1)[rows], (unit[1] * mean[0]).sum(1)[rows])
    masked = drop_related or related == "mask"
    tiling = Tiling(
        normalize=normalize,
        offset=start,
        drop_diagonal=drop_related,
        relations=relations if masked else None,
        tile_size=tile_size,
    )
    adjustment_m = None if adjustment_n is None else gather(adjustment_n.detach().to(dtype))
    positive_relations = relations if related == "count" else None
    return PairBatch(
        media_nd,
        text_md,
        rows,
        counts,
        share_m,
        negatives_m,
        positives,
        adjustment_m,
        positive_relations,
        tiling,
        processes,
    )


def per_pair(value: Tensor | float, name: str, like_nd: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a temperature or margin as one finite, positive value per pair ``[n]``.

    Args:
        value: A number or a tensor of shape ``[n]`` or of one element.
        name: What it is, for messages.
        like_nd: Embeddings, for their number and device.
        dtype: Precision wanted.

    On a GPU values are not read, as that would make the host wait at every step: there a value that is not finite and
    positive becomes NaN, and so does the loss.

    Raises:
        InputError: It has another shape, or, on a CPU, holds a value that is not finite and positive.
    """
    if isinstance(value, (int, float)):  # filled on the device: copying a number to a GPU would make the host wait
        value = torch.full((), value, dtype=dtype, device=like_nd.device)
    value_n = torch.as_tensor(value, dtype=dtype, device=like_nd.device)
    n = len(like_nd)
    if value_n.numel() == 1:
        value_n = value_n.reshape(()).expand(n)
    if value_n.shape != (n,):
        raise InputError(f"{name} has shape {tuple(value_n.shape)}; give a number, or one for each of the {n} pairs")
    good_n = (value_n > 0) & value_n.isfinite()
    if value_n.is_cuda:
        return torch.where(good_n, value_n, torch.nan)
    if not bool(good_n.all()):
        worst = float(value_n[~good_n][0])
        raise InputError(f"a {name} is {worst:g}; it must be positive (a lower alpha, or larger shifts, would help)")
    return value_n


def _unit(embedding_nd: Tensor, dtype: torch.dtype, normalize: bool) -> Tensor:
    embedding_nd = embedding_nd.to(dtype)
    return functional.normalize(embedding_nd, dim=1) if normalize else embedding_nd


def _shares(weight_m: Tensor, m: int) -> Tensor:
    total = weight_m.sum()
    if not bool((weight_m >= 0).all() & (total > 0) & total.isfinite()):
        raise InputError(f"weight_n of the {m} pairs must be finite, not negative, and not all zero")
    return weight_m / total
