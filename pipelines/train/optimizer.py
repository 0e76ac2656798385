"""The learning rate of each step, and the norm of its gradient."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def learning_rate(
    step: int, *, highest: float, lowest: float, warmup_steps: int, total_steps: int, first: float | None = None
) -> float:
    """The learning rate at a step: a line up over ``warmup_steps``, then half a cosine down to ``lowest``.

    Args:
        step: Optimizer steps done, from 0.
        highest: The rate after the warm-up.
        lowest: The rate the cosine ends at.
        warmup_steps: Steps of the line; step 0 already takes a positive rate.
        total_steps: Steps of the run.
        first: The rate of step 0, if there is a warm-up; None for that of a line that starts from 0 a step earlier.
    """
    if step < warmup_steps and first is not None:
        return first + (highest - first) * step / max(1, warmup_steps - 1)
    if step < warmup_steps:
        return highest * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * progress)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups of an optimizer a learning rate, times their own ``lr_scale`` where they have one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def gradient_norm(parameters: Iterable[nn.Parameter], max_norm: float | None) -> Tensor:
    """The norm of all gradients together, which are scaled down to ``max_norm`` where one is given.

    Sharded gradients count whole.
    """
    kept = [parameter for parameter in parameters if parameter.grad is not None]
    sides = [[p for p in kept if isinstance(p, DTensor) is sharded] for sharded in (True, False)]
    norms = [torch.nn.utils.get_total_norm([p.grad for p in side if p.grad is not None]) for side in sides if side]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    norm = whole[0] if len(whole) == 1 else torch.stack(whole).norm()
    if max_norm is not None:
        for side in sides:
            torch.nn.utils.clip_grads_with_norm_(side, max_norm, norm)
    return norm
