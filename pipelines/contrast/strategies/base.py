"""What every temperature strategy is: a module from embeddings and a step to a loss."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

import torch
from torch import Tensor, nn

from pipelines.contrast.batch import LossOptions, PairInfo
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.tiles import accumulation_dtype
from pipelines.errors import InputError


class StrategyOutput(NamedTuple):
    """What a strategy returns for a batch: a tuple, which wrappers such as Fabric's can look into.

    Attributes:
        loss: Scalar to call ``backward`` on.
        media_temperature_n: Temperature (or margin) used for each media anchor ``[n]``, detached.
        text_temperature_n: The same for text anchors; equal unless the strategy has one a side.
    """

    loss: Tensor
    media_temperature_n: Tensor
    text_temperature_n: Tensor

    @property
    def temperature_n(self) -> Tensor:
        """Temperature (or margin) of each pair, the mean of its two sides ``[n]``."""
        return (self.media_temperature_n + self.text_temperature_n) / 2


@dataclass(frozen=True)
class StrategyInput:
    """What a strategy is given for a batch of n pairs; see `Strategy.forward`.

    Attributes:
        media_nd: Media embeddings ``[n, d]``.
        text_nd: Text embeddings ``[n, d]``.
        step: Optimizer steps done, from 0.
        pairs: Groups and weights of the pairs, for the loss.
    """

    media_nd: Tensor
    text_nd: Tensor
    step: int
    pairs: PairInfo
    _shift_n: Tensor | None = None
    _sample_n: Tensor | None = None

    @property
    def dtype(self) -> torch.dtype:
        """The precision temperatures are kept in."""
        return accumulation_dtype(self.media_nd, self.text_nd)

    @property
    def shift_n(self) -> Tensor:
        """Each pair's shift ``[n]``, on the device of the embeddings."""
        return self._needed("shift_n", self._shift_n).to(self.dtype)

    @property
    def sample_n(self) -> Tensor:
        """Each pair's row among the sample ids ``[n]``, int64, on the device of the embeddings."""
        return self._needed("sample_n", self._sample_n).to(torch.int64)

    def _needed(self, name: str, value_n: Tensor | None) -> Tensor:
        n = len(self.media_nd)
        if value_n is None:
            raise InputError(f"the temperature strategy needs {name}; give one value for each of the {n} pairs")
        if value_n.shape != (n,):
            raise InputError(f"{name} has shape {tuple(value_n.shape)}; give one value for each of the {n} pairs")
        return value_n.to(self.media_nd.device)


class Strategy(nn.Module, ABC):
    """How the temperature (or margin) of each pair is chosen.

    Most strategies give a temperature to one of `LOSSES`: they are `LossStrategy`s. The others have an objective of
    their own.

    Attributes:
        loss: The loss.
        uses_shifts: Whether `forward` needs ``shift_n``.
        uses_samples: Whether `forward` needs ``sample_n``.
        settings: The numbers `make_strategy` made it with, defaults included, by the name of the option.

    Args:
        loss: The loss; of a strategy with an objective of its own the one it stands for, whose options it takes.
    """

    uses_shifts = False
    uses_samples = False

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss
        self.settings: Mapping[str, float] = {}

    @property
    def options(self) -> LossOptions:
        """What stays the same over a run: the options of the loss."""
        return self.loss.options

    @property
    def quantity(self) -> str:
        """What it sets, for messages: ``"temperature"`` or ``"margin"``."""
        return self.loss.quantity

    def forward(
        self,
        media_nd: Tensor,
        text_nd: Tensor,
        *,
        step: int,
        shift_n: Tensor | None = None,
        sample_n: Tensor | None = None,
        **pairs: Unpack[PairInfo],
    ) -> StrategyOutput:
        """Return the loss of a batch and the temperatures it was taken at.

        Args:
            media_nd: Media embeddings ``[n, d]``.
            text_nd: Text embeddings ``[n, d]``.
            step: Optimizer steps done, from 0.
            shift_n: Each pair's shift ``[n]``; ignored where `uses_shifts` is false.
            sample_n: Each pair's row among the sample ids the strategy was built with ``[n]``, int64; ignored where
                `uses_samples` is false.
            **pairs: ``media_group_n``, ``text_group_n``, ``weight_n`` and ``adjustment_n``, see `info_nce`.

        Raises:
            InputError: A shape is wrong, or something needed is missing.
        """
        return self.objective(StrategyInput(media_nd, text_nd, step, pairs, shift_n, sample_n))

    @abstractmethod
    def objective(self, given: StrategyInput) -> StrategyOutput:
        """Return what `forward` does."""

    @abstractmethod
    def range(self, total_steps: int) -> tuple[float, float]:
        """Return bounds of the temperature (or margin) over a run, before it starts.

        Exact, as reached at whole steps, where the schedule and the shifts alone decide; otherwise the interval the
        strategy keeps to, whose upper end may be infinite.

        Args:
            total_steps: Number of optimizer steps in the run.
        """

    def check(self, total_steps: int) -> None:
        """Refuse, before the first step, settings under which a temperature or margin would not stay positive.

        Args:
            total_steps: Number of optimizer steps in the run.

        Raises:
            InputError: It would not; the message says what would be allowed.
        """
        low, _ = self.range(total_steps)
        if not low > 0:
            raise InputError(f"the {self.quantity} would fall to {low:.6g}; it must stay above 0")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return optimizer groups of this strategy's own parameters and its loss's, without weight decay; often none.

        A group with an ``lr`` has a learning rate of its own.
        """
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [{"params": parameters, "weight_decay": 0.0}] if parameters else []


class LossStrategy(Strategy):
    """A strategy that gives each pair its temperature (or margin) and leaves the rest to a loss."""

    def objective(self, given: StrategyInput) -> StrategyOutput:
        """Return the loss at the strategy's temperature."""
        temperature_n = self.temperature(given).expand(len(given.media_nd))
        loss = self.loss(given.media_nd, given.text_nd, temperature_n, **given.pairs)
        return StrategyOutput(loss, temperature_n.detach(), temperature_n.detach())

    @abstractmethod
    def temperature(self, given: StrategyInput) -> Tensor:
        """Return the temperature (or margin) of each pair ``[n]``, or one for all ``[]``."""
