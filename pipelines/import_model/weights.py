"""The weights of a checkpoint by name, each taken once, so that none is missing and none left over."""

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pipelines.errors import InputError


class Weights:
    """The weights of a checkpoint.

    Args:
        state: They, by name; a prefix that wrappers put before every name is taken off.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        for prefix in ("module.", "_orig_mod."):
            if state and all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): value for name, value in state.items()}
        self._left = dict(state)
        self._taken: dict[str, Tensor] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def names(self) -> Iterator[str]:
        """Those that were not taken yet."""
        yield from self._left

    def shape(self, name: str) -> torch.Size:
        """The shape of one.

        Raises:
            InputError: There is none of this name.
        """
        return self._of(name).shape

    def take(self, name: str) -> Tensor:
        """One, as float32.

        Raises:
            InputError: There is none of this name, or it holds values that aren't finite.
        """
        value = self._of(name).float()
        if not value.isfinite().all():
            raise InputError(f"{name} holds values that are not finite: training diverged, or the file is damaged")
        del self._left[name]
        self._taken[name] = value
        return value

    def drop(self, *ends: str) -> None:
        """Take those whose name is, or ends in, one of these: what is computed and not learned."""
        for name in [each for each in self._left if each.split(".")[-1] in ends]:
            del self._left[name]

    def layers(self, prefix: str) -> int:
        """How many numbered layers there are below a prefix."""
        numbers = {int(found[1]) for name in self._left if (found := re.match(rf"{re.escape(prefix)}\.(\d+)\.", name))}
        return max(numbers, default=-1) + 1

    def linear(self, old: str, new: str) -> dict[str, Tensor]:
        """Weight and bias of a layer, by their new names."""
        return {f"{new}.{part}": self.take(f"{old}.{part}") for part in ("weight", "bias")}

    def load(self, module: nn.Module, state: dict[str, Tensor]) -> None:
        """Give a module its weights, which were taken from these.

        Raises:
            InputError: One has another shape than the module's; names it as the checkpoint does.
        """
        wanted = module.state_dict()
        for name, value in state.items():
            if name in wanted and value.shape != wanted[name].shape:
                found, expected = (" x ".join(map(str, each.shape)) for each in (value, wanted[name]))
                raise InputError(
                    f"{self._source(value)} is {found}, but with the other weights it has to be {expected}"
                )
        module.load_state_dict({name: value.contiguous() for name, value in state.items()})

    def require_all_taken(self) -> None:
        """Check that nothing is left.

        Raises:
            InputError: Something is; names the first.
        """
        if self._left:
            more = f" and {len(self._left) - 1:,} more" if len(self._left) > 1 else ""
            raise InputError(f"also has {min(self._left)}{more}, which a model of this kind has no place for")

    def _source(self, part: Tensor) -> str:
        """The name of what was taken that a tensor is a part of."""
        for name, value in self._taken.items():
            if value.data_ptr() <= part.data_ptr() < value.data_ptr() + value.nbytes:
                return name
        return "a table of positions"  # the only one that is made anew

    def _of(self, name: str) -> Tensor:
        if name not in self._left:
            raise InputError(f"has no {name}, which a checkpoint of this kind has")
        return self._left[name]


def grid_side(positions: int) -> int:
    """Patches along each side of an image, of which there are position embeddings and that of the class token.

    Raises:
        InputError: They make no square.
    """
    side = math.isqrt(positions - 1)
    if side * side != positions - 1:
        raise InputError(f"has {positions - 1} position embeddings of patches, which make no square")
    return side


def resize_positions(table_td: Tensor, side: int) -> Tensor:
    """Position embeddings for a grid of another size: ``[1 + side ** 2, d]``, of ``[1 + s ** 2, d]``.

    The class token's stays; the others are interpolated bicubically, with antialiasing, as open_clip does.
    """
    old = grid_side(len(table_td))
    if old == side:
        return table_td
    grid_1dhw = table_td[1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid_1dhw = torch.nn.functional.interpolate(grid_1dhw, size=(side, side), mode="bicubic", antialias=True)
    return torch.cat([table_td[:1], grid_1dhw.flatten(2)[0].T])
