"""Projection heads."""

from typing import Literal, get_args

from torch import nn

from pipelines.errors import InputError

ProjectionName = Literal["linear", "mlp", "none"]
PROJECTIONS: tuple[ProjectionName, ...] = get_args(ProjectionName)


def make_projection(name: ProjectionName, inputs: int, outputs: int) -> nn.Module:
    """Return a projection head from ``[n, inputs]`` to ``[n, outputs]``.

    Args:
        name: ``linear``, one matrix and a bias; ``mlp``, two with GELU between, the hidden size that of the inputs; or
            ``none``, the inputs themselves, which are in a shared space already.
        inputs: Size of what it reads.
        outputs: Size of the shared space.

    Raises:
        InputError: The name is unknown, or ``none`` would have to change the size.
    """
    if name == "linear":
        return nn.Linear(inputs, outputs)
    if name == "mlp":
        return nn.Sequential(nn.Linear(inputs, inputs), nn.GELU(), nn.Linear(inputs, outputs))
    if name == "none":
        if inputs != outputs:
            raise InputError(
                f"--projection none keeps the size of a side, {inputs}, which is not that of the shared space, "
                f"{outputs}; choose --projection linear, or towers of one size"
            )
        return nn.Identity()
    raise InputError(f"projection {name!r} is unknown; choose one of {', '.join(PROJECTIONS)}")
