"""Gradient caching: batches of any size in the memory of a small one, with the gradients of the large one."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor

from pipelines.errors import InputError

MicroBatch = TypeVar("MicroBatch")


def cached_backward(
    embed: Callable[[MicroBatch], tuple[Tensor, ...]],
    micro_batches: Sequence[MicroBatch],
    loss: Callable[..., Tensor],
    *,
    backward: Callable[[Tensor], None] = Tensor.backward,
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Tensor:
    """Add to parameters the gradients of one loss over all micro-batches, and return that loss.

    Gao et al. (arXiv 2101.06983): embed each micro-batch without a graph; take the loss once over all embeddings, and
    its gradient for each; embed each micro-batch again, in the same random state, and push its part of the gradient
    through. Parameters of the loss itself (a learned temperature) get their gradient once, from the loss over all
    micro-batches, so it is that of the large batch and not a multiple.

    Layers that change their state in a forward pass in training, such as batch normalisation, see every micro-batch
    twice and normalise over micro-batches; all else gives the large batch's gradients to rounding error.

    Example::

        output = cached_backward(
            lambda part: (media_encoder(part.media), text_encoder(part.text)),
            micro_batches,
            lambda media_nd, text_nd: strategy(media_nd, text_nd, step=step, shift_n=shift_n).loss,
            backward=fabric.backward,
            no_sync=lambda: fabric.no_backward_sync(model),
        )

    Args:
        embed: From a micro-batch to its embeddings, a tuple of tensors with one row per pair.
        micro_batches: The parts of the batch, in order.
        loss: From the embeddings of all micro-batches, concatenated and in float32 or float64, to a scalar. Called
            once.
        backward: What to call instead of ``loss.backward()``; it may scale, as gradient scalers do.
        no_sync: Gives a context in which gradients aren't averaged over processes; entered for each micro-batch but
            the last, so that they are averaged once.

    Returns:
        The loss, detached.

    Raises:
        InputError: There is no micro-batch.
    """
    if not micro_batches:
        raise InputError("there are no micro-batches; give at least one")
    states, parts = [], []
    with torch.no_grad():
        for micro_batch in micro_batches:
            states.append(_RandomState())
            parts.append(embed(micro_batch))
    # In half precision a gradient scaler's first scale, 65536, is infinite, and scaled gradients may be.
    joined = [torch.cat(side) for side in zip(*parts, strict=True)]
    sides = [side.to(torch.promote_types(side.dtype, torch.float32)).requires_grad_() for side in joined]
    lengths = [len(part[0]) for part in parts]
    # A number added to the loss has gradient 1, or whatever `backward` scales it by: that must not happen twice.
    probe = torch.zeros((), dtype=torch.float32, device=sides[0].device, requires_grad=True)
    value = loss(*sides)
    backward(value + probe)
    assert probe.grad is not None  # for the type checker: it has just been given one
    gradients = [
        torch.split(torch.zeros_like(side) if side.grad is None else side.grad / probe.grad, lengths) for side in sides
    ]
    after = _RandomState()
    for number, (micro_batch, state) in enumerate(zip(micro_batches, states, strict=True)):
        last = number == len(micro_batches) - 1
        with nullcontext() if last else no_sync():
            state.restore()
            again = embed(micro_batch)
            pairs = zip(again, (gradient[number] for gradient in gradients), strict=True)
            surrogate = _sum((embedding * part).sum() for embedding, part in pairs if embedding.requires_grad)
            if surrogate is not None:
                backward(surrogate)
    after.restore()
    return value.detach()


class _RandomState:
    """The state of the random number generators, of the CPU and of the current CUDA device."""

    def __init__(self) -> None:
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None

    def restore(self) -> None:
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda)


def _sum(values: Iterable[Tensor]) -> Tensor | None:
    total = None
    for value in values:
        total = value if total is None else total + value
    return total
