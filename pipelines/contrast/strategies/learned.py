"""Strategies that learn one number for all pairs: CLIP's temperature, and MM-TS with a learned base."""

import math

import torch
from torch import Tensor, nn

from pipelines.contrast.bands import SMALLEST_LEVEL, ShiftedSchedule
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.registry import STRATEGIES
from pipelines.contrast.schedules import Schedule
from pipelines.contrast.strategies.base import LossStrategy, StrategyInput
from pipelines.contrast.strategies.settings import Settings
from pipelines.errors import InputError

LARGEST_LOGIT_SCALE = math.log(1 / SMALLEST_LEVEL)


class Learned(LossStrategy):
    """CLIP's learned temperature: ``tau = exp(-logit_scale)`` (arXiv 2103.00020).

    ``logit_scale`` starts at log(1 / tau), is clamped to at most log(100), so tau to at least 0.01, and takes no
    weight decay.

    Args:
        tau: The temperature at the start.
        loss: A loss with temperatures.

    Raises:
        InputError: The loss has margins, or ``tau`` is below 0.01.
    """

    def __init__(self, tau: float, loss: Loss) -> None:
        super().__init__(loss)
        STRATEGIES["learned"].check_loss(loss.name)
        self.logit_scale = nn.Parameter(_first_logit_scale(tau))

    def temperature(self, given: StrategyInput) -> Tensor:
        """Return the learned temperature."""
        return _clamped_temperature(self.logit_scale)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return (0.01, infinity): CLIP bounds the temperature from below only."""
        return math.exp(-LARGEST_LOGIT_SCALE), math.inf


class MMTSLearned(LossStrategy):
    """MM-TS with a learned base: ``tau_i(step) = learned + schedule(step) + (shift_i - smallest shift)``.

    The learned number takes the place of the smallest shift, where it starts, so training starts as MM-TS and then
    moves the whole band. It is exp(-logit_scale) + alpha / 2 with CLIP's clamp, so no step takes a temperature below
    0.01.

    Args:
        schedule: The base, usually a `CosineSchedule` of mean 0.
        shift_range: Smallest and largest shift in the training data.
        loss: A loss with temperatures.

    Raises:
        InputError: The loss has margins, or the band at the start goes below 0.01.
    """

    uses_shifts = True

    def __init__(self, schedule: Schedule, shift_range: tuple[float, float], loss: Loss) -> None:
        super().__init__(loss)
        STRATEGIES["mmts-learned"].check_loss(loss.name)
        self.shifted = ShiftedSchedule(schedule, *shift_range)
        self.shifted.check_positive(1, self.quantity)
        self.depth = -schedule.lower_bound()
        self.logit_scale = nn.Parameter(_first_logit_scale(shift_range[0] - self.depth))

    def temperature(self, given: StrategyInput) -> Tensor:
        """Return the learned base plus the schedule's value plus each pair's shift above the smallest."""
        above_n = given.shift_n - self.shifted.smallest_shift
        base = _clamped_temperature(self.logit_scale) + self.depth
        return base + self.shifted(given.step, above_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest temperature that can be learned at any step, and infinity."""
        low, _ = self.shifted.base.range(total_steps)
        return math.exp(-LARGEST_LOGIT_SCALE) + self.depth + low, math.inf


def learned(settings: Settings) -> Learned:
    """Build ``learned``."""
    return Learned(settings["tau"], settings.loss)


def mmts_learned(settings: Settings) -> MMTSLearned:
    """Build ``mmts-learned``."""
    return MMTSLearned(settings.cosine(settings["alpha"]), settings.shift_range, settings.loss)


def _first_logit_scale(tau: float) -> Tensor:
    smallest = math.exp(-LARGEST_LOGIT_SCALE)
    if not tau >= smallest * (1 - 1e-6):
        raise InputError(
            f"a learned temperature would start at {tau:.6g}, below the {smallest:g} it is clamped to; start higher, "
            "or give a lower alpha"
        )
    return torch.tensor(math.log(1 / tau))


def _clamped_temperature(logit_scale: nn.Parameter) -> Tensor:
    # The parameter itself is clamped, as CLIP does after a step: clamping the value used would stop its gradient.
    with torch.no_grad():
        logit_scale.clamp_(max=LARGEST_LOGIT_SCALE)
    return torch.exp(-logit_scale)
