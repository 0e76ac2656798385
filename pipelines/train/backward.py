"""One batch forward and backward, whole or in micro-batches."""

from collections.abc import Callable

from torch import Tensor

from pipelines.contrast import StrategyOutput
from pipelines.contrast.gradient_cache import cached_backward

Rows = tuple[Tensor, Tensor]


def backward(
    embed: Callable[[Rows], tuple[Tensor, Tensor]],
    contrast: Callable[[Tensor, Tensor], StrategyOutput],
    rows: Rows,
    micro_batch: int | None,
) -> StrategyOutput:
    """Add a batch's gradients to the parameters.

    With ``micro_batch`` the memory is that of a micro-batch, and of the embeddings: gradients are cached (Gao et al.,
    arXiv 2101.06983), and equal those of the whole batch to float error.

    Args:
        embed: From rows of media and of captions to their embeddings, ``[n, d]`` each.
        contrast: From the embeddings of the whole batch to the loss.
        rows: Rows of media and of captions of the batch ``[n]``.
        micro_batch: Pairs embedded at a time; all of them if None.
    """
    if micro_batch is None:
        output = contrast(*embed(rows))
        output.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return output
    outputs: list[StrategyOutput] = []

    def loss(media_nd: Tensor, text_nd: Tensor) -> Tensor:
        outputs.append(contrast(media_nd, text_nd))
        return outputs[-1].loss

    media_rows, sample_rows = rows
    parts = [
        (media_rows[start : start + micro_batch], sample_rows[start : start + micro_batch])
        for start in range(0, len(media_rows), micro_batch)
    ]
    cached_backward(embed, parts, loss)
    return outputs[0]
