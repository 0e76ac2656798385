"""Strategies that learn one number for all pairs: CLIP's temperature, and MM-TS with a learned base."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from pipelines.contrast.bands import ShiftedSchedule
from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LossName
from pipelines.contrast.schedules import Schedule
from pipelines.contrast.strategies.base import Strategy, StrategyOutput
from pipelines.contrast.tiles import accumulation_dtype
from pipelines.errors import InputError

LARGEST_LOGIT_SCALE = math.log(100)


class Learned(Strategy):
    """CLIP's learned temperature: ``tau = exp(-logit_scale)`` (arXiv 2103.00020).

    ``logit_scale`` starts at log(1 / tau), is clamped to at most log(100), so tau to at least 0.01, and takes no
    weight decay.

    Args:
        tau: The temperature at the start.
        loss: ``"infonce"``.
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: The loss is ``"max-margin"``, or ``tau`` is below 0.01.
    """

    def __init__(self, tau: float = 0.07, loss: LossName = "infonce", **options: Unpack[LossOptions]) -> None:
        super().__init__(loss, **options)
        self._refuse_other_losses("learned")
        self.logit_scale = nn.Parameter(_first_logit_scale(tau))

    def forward(
        self,
        media_nd: Tensor,
        text_nd: Tensor,
        *,
        step: int,
        shift_n: Tensor | None = None,
        sample_n: Tensor | None = None,
        media_group_n: Tensor | None = None,
        text_group_n: Tensor | None = None,
        weight_n: Tensor | None = None,
    ) -> StrategyOutput:
        """Return the loss at the learned temperature; arguments as for `Strategy.forward`."""
        temperature_n = _clamped_temperature(self.logit_scale).expand(len(media_nd))
        return self._at(media_nd, text_nd, temperature_n, media_group_n, text_group_n, weight_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return (0.01, infinity): CLIP bounds the temperature from below only."""
        return math.exp(-LARGEST_LOGIT_SCALE), math.inf


class MMTSLearned(Strategy):
    """MM-TS with a learned base: ``tau_i(step) = learned + schedule(step) + (shift_i - smallest shift)``.

    The learned number takes the place of the smallest shift, where it starts, so training starts as MM-TS and then
    moves the whole band. It is exp(-logit_scale) + alpha / 2 with CLIP's clamp, so no step takes a temperature below
    0.01.

    Args:
        schedule: The base, usually a `CosineSchedule` of mean 0.
        shift_range: Smallest and largest shift in the training data.
        loss: ``"infonce"``.
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: The loss is ``"max-margin"``, or the band at the start goes below 0.01.
    """

    uses_shifts = True

    def __init__(
        self,
        schedule: Schedule,
        shift_range: tuple[float, float],
        loss: LossName = "infonce",
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(loss, **options)
        self._refuse_other_losses("mmts-learned")
        self.shifted = ShiftedSchedule(schedule, *shift_range)
        self.shifted.check_positive(1, self.quantity)
        self.depth = -schedule.lower_bound()
        self.logit_scale = nn.Parameter(_first_logit_scale(shift_range[0] - self.depth))

    def forward(
        self,
        media_nd: Tensor,
        text_nd: Tensor,
        *,
        step: int,
        shift_n: Tensor | None = None,
        sample_n: Tensor | None = None,
        media_group_n: Tensor | None = None,
        text_group_n: Tensor | None = None,
        weight_n: Tensor | None = None,
    ) -> StrategyOutput:
        """Return the loss with each pair at its own temperature; arguments as for `Strategy.forward`."""
        above_n = (
            self._needed(shift_n, "shift_n", media_nd).to(accumulation_dtype(media_nd, text_nd))
            - self.shifted.smallest_shift
        )
        base = _clamped_temperature(self.logit_scale) + self.depth
        temperature_n = base + self.shifted(step, above_n)
        return self._at(media_nd, text_nd, temperature_n, media_group_n, text_group_n, weight_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest temperature that can be learned at any step, and infinity."""
        low, _ = self.shifted.base.range(total_steps)
        return math.exp(-LARGEST_LOGIT_SCALE) + self.depth + low, math.inf


def _first_logit_scale(tau: float) -> Tensor:
    smallest = math.exp(-LARGEST_LOGIT_SCALE)
    if not tau >= smallest * (1 - 1e-6):
        raise InputError(
            f"a learned temperature would start at {tau:.6g}, below the {smallest:g} it is clamped to; start higher"
        )
    return torch.tensor(math.log(1 / tau))


def _clamped_temperature(logit_scale: nn.Parameter) -> Tensor:
    # The parameter itself is clamped, as CLIP does after a step: clamping the value used would stop its gradient.
    with torch.no_grad():
        logit_scale.clamp_(max=LARGEST_LOGIT_SCALE)
    return torch.exp(-logit_scale)
