"""One batch spread over several processes: rows gathered with their gradients, exactly."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable


class Processes:
    """The processes that share a batch, each with some of its pairs.

    Losses given one return, on every process, the loss of the whole batch, with gradients such that the *mean*
    over processes, which is what DistributedDataParallel forms, is the gradient of that loss: what one process
    with the whole batch would have computed. Processes may hold different numbers of pairs.

    Args:
        group: The process group, by default that of all processes. ``torch.distributed`` must be initialised.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.group = group
        self.rank = dist.get_rank(group)
        self.world_size = dist.get_world_size(group)

    @classmethod
    def current(cls) -> "Processes | None":
        """Return all processes, or ``None`` where this process is alone."""
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return None
        return cls()

    def counts(self, rows: int, device: torch.device) -> list[int]:
        """Return the number of rows each process has, given this one's."""
        count = torch.tensor([rows], device=device)
        found = [torch.empty_like(count) for _ in range(self.world_size)]
        dist.all_gather(found, count, group=self.group)
        return [int(each) for each in found]

    def gather(self, part: Tensor, counts: list[int]) -> Tensor:
        """Return the rows of all processes, in the order of their ranks; differentiable.

        The gradient of a row is the sum of the gradients all processes have for it.

        Args:
            part: This process's rows ``[counts[rank], ...]``.
            counts: Rows of each process.
        """
        gathered: Tensor = _Gather.apply(part, counts, self)  # type: ignore[no-untyped-call]  # torch leaves `apply` untyped
        return gathered

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over processes, a constant."""
        total = value.detach().clone()
        dist.all_reduce(total, group=self.group)
        return total


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, counts: list[int], processes: Processes) -> Tensor:
        ctx.counts, ctx.processes = counts, processes
        # Collectives need one size: short parts are padded for the journey and cut afterwards.
        padded = part.new_zeros(max(counts), *part.shape[1:])
        padded[: len(part)] = part
        received = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(received, padded, group=processes.group)
        return torch.cat([rows[:count] for rows, count in zip(received, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        total = grad.contiguous().clone()
        dist.all_reduce(total, group=ctx.processes.group)
        return torch.split(total, ctx.counts)[ctx.processes.rank], None, None
