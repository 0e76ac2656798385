"""One batch forward and backward, whole or in micro-batches."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from torch import Tensor

from pipelines.contrast import StrategyOutput
from pipelines.contrast.gradient_cache import cached_backward

Inputs = TypeVar("Inputs")


def backward(
    embed: Callable[[Inputs], tuple[Tensor, Tensor]],
    contrast: Callable[[Tensor, Tensor], StrategyOutput],
    parts: list[Inputs],
    *,
    push: Callable[[Tensor], None],
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> StrategyOutput:
    """Add a batch's gradients to the parameters.

    With several parts the memory is that of one part, and of the embeddings: gradients are cached (Gao et al.,
    arXiv 2101.06983), and equal those of the whole batch to float error.

    Args:
        embed: From a part of the batch to its embeddings of media and of texts, ``[n, d]`` each.
        contrast: From the embeddings of the whole batch to the loss.
        parts: The batch: whole, or in micro-batches.
        push: What to call in place of ``loss.backward()``.
        no_sync: Context in which gradients are not averaged over processes.
    """
    if len(parts) == 1:
        output = contrast(*embed(parts[0]))
        push(output.loss)
        return output
    outputs: list[StrategyOutput] = []

    def loss(media_nd: Tensor, text_nd: Tensor) -> Tensor:
        outputs.append(contrast(media_nd, text_nd))
        return outputs[-1].loss

    cached_backward(embed, parts, loss, backward=push, no_sync=no_sync)
    return outputs[0]
