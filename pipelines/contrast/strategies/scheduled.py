"""Strategies whose temperature or margin follows from the step and the pair's cluster: fixed, cosine, TS, MM-TS."""

import torch
from torch import Tensor

from pipelines.contrast.bands import ShiftedSchedule
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.schedules import ConstantSchedule, Schedule
from pipelines.contrast.strategies.base import LossStrategy, StrategyInput
from pipelines.contrast.strategies.settings import Settings
from pipelines.errors import InputError


class Scheduled(LossStrategy):
    """One temperature (or margin) for all pairs, from a schedule.

    With `ConstantSchedule` the fixed baseline; with `CosineSchedule` MM-TS without shifts, and TS.

    Args:
        schedule: The temperature at each step.
        loss: The loss.
    """

    def __init__(self, schedule: Schedule, loss: Loss) -> None:
        super().__init__(loss)
        self.schedule = schedule

    def temperature(self, given: StrategyInput) -> Tensor:
        """Return the schedule's value at the step."""
        # Filled on the device: copying a number to a GPU would make the host wait for it.
        return torch.full((), self.schedule(given.step), dtype=given.dtype, device=given.media_nd.device)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest temperature (or margin) of a run, as reached."""
        return self.schedule.range(total_steps)

    def check(self, total_steps: int) -> None:
        """Refuse a schedule that doesn't stay positive; see `Strategy.check`."""
        ShiftedSchedule(self.schedule, 0.0, 0.0).check_positive(total_steps, self.quantity)


class MMTS(LossStrategy):
    """MM-TS: the base of a schedule plus the shift of the pair's cluster (arXiv 2603.08202).

    ``tau_i(step) = alpha / 2 * cos(2 pi step / period) + shift_i``. With ``alpha = 0`` shifts alone; with all shifts
    equal the schedule alone.

    Args:
        schedule: The base, usually a `CosineSchedule` of mean 0.
        shift_range: Smallest and largest shift in the training data.
        loss: The loss.
    """

    uses_shifts = True

    def __init__(self, schedule: Schedule, shift_range: tuple[float, float], loss: Loss) -> None:
        super().__init__(loss)
        self.shifted = ShiftedSchedule(schedule, *shift_range)

    def temperature(self, given: StrategyInput) -> Tensor:
        """Return each pair's shift plus the schedule's value at the step."""
        return self.shifted(given.step, given.shift_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest temperature (or margin) of a run, as reached."""
        return self.shifted.range(total_steps)

    def check(self, total_steps: int) -> None:
        """Refuse ``alpha >= 2 * smallest shift``; see `Strategy.check`."""
        self.shifted.check_positive(total_steps, self.quantity)


def fixed(settings: Settings) -> Scheduled:
    """Build ``fixed``."""
    return Scheduled(ConstantSchedule(settings["tau"]), settings.loss)


def cosine(settings: Settings) -> Scheduled:
    """Build ``cosine``."""
    return Scheduled(settings.cosine(settings["alpha"], mean=settings["tau"]), settings.loss)


def ts(settings: Settings) -> Scheduled:
    """Build ``ts``: ``tau_min + (tau_max - tau_min) * (1 + cos) / 2``, a cosine around the middle."""
    low, high = settings["tau_min"], settings["tau_max"]
    if not low <= high:
        raise InputError(f"tau_min {low:g} is above tau_max {high:g}; swap them")
    return Scheduled(settings.cosine(high - low, mean=(low + high) / 2), settings.loss)


def mmts(settings: Settings) -> MMTS:
    """Build ``mmts``."""
    return MMTS(settings.cosine(settings["alpha"]), settings.shift_range, settings.loss)
