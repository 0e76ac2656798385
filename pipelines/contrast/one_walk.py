"""A scalar whose value and gradients come from one pass over the tiles of a batch, as autograd sees it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Walk = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]


def walk_once(walk: Walk, *inputs: Tensor) -> Tensor:
    """Return the value of a walk, whose gradients are kept for the backward pass, which only scales them.

    Args:
        walk: From the inputs, and ``text_gradient``, to the value and the gradients of the first inputs in their order
            (the others are constants), in the precision of accumulation. The second input is the texts, whose gradient
            need not be formed where ``text_gradient`` is false.
        *inputs: Tensors.
    """
    value: Tensor = _OneWalk.apply(walk, *inputs)  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
    return value


class _OneWalk(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, walk: Walk, *inputs: Tensor) -> Tensor:
        with torch.autocast(inputs[0].device.type, enabled=False):
            value, gradients = walk(*inputs, text_gradient=ctx.needs_input_grad[2])
        ctx.gradients = gradients if any(ctx.needs_input_grad) else None
        ctx.save_for_backward(*inputs)
        ctx.walk = walk
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a second backward through a retained graph: the first one scaled them in place
            with torch.autocast(ctx.saved_tensors[0].device.type, enabled=False):
                _, gradients = ctx.walk(*ctx.saved_tensors, text_gradient=True)
        # Scaled before they are rounded to half precision: a gradient scaler is there to save the small ones.
        scaled = [part.mul_(grad).to(given.dtype) for part, given in zip(gradients, ctx.saved_tensors, strict=False)]
        return None, *scaled, *[None] * (len(ctx.saved_tensors) - len(scaled))
