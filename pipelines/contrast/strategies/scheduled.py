"""Strategies whose temperature or margin follows from the step and the pair's cluster: fixed, cosine, TS, MM-TS."""

from typing import Unpack

import torch
from torch import Tensor

from pipelines.contrast.bands import ShiftedSchedule
from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LossName
from pipelines.contrast.schedules import Schedule
from pipelines.contrast.strategies.base import Strategy, StrategyOutput
from pipelines.contrast.tiles import accumulation_dtype


class Scheduled(Strategy):
    """One temperature (or margin) for all pairs, from a schedule.

    With `ConstantSchedule` the fixed baseline, with `CosineSchedule` MM-TS without shifts, with `TSSchedule` TS.

    Args:
        schedule: The temperature at each step.
        loss: ``"infonce"`` or ``"max-margin"``.
        **options: Options of the loss, see `info_nce`.
    """

    def __init__(self, schedule: Schedule, loss: LossName = "infonce", **options: Unpack[LossOptions]) -> None:
        super().__init__(loss, **options)
        self.schedule = schedule

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
        """Return the loss at the schedule's value; arguments as for `Strategy.forward`."""
        temperature_n = torch.full(
            (len(media_nd),),
            self.schedule(step),
            dtype=accumulation_dtype(media_nd, text_nd),
            device=media_nd.device,
        )
        return self._at(media_nd, text_nd, temperature_n, media_group_n, text_group_n, weight_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest temperature (or margin) of a run, as reached."""
        return self.schedule.range(total_steps)

    def check(self, total_steps: int) -> None:
        """Refuse a schedule that doesn't stay positive; see `Strategy.check`."""
        ShiftedSchedule(self.schedule, 0.0, 0.0).check_positive(total_steps, self.quantity)


class MMTS(Strategy):
    """MM-TS: the base of a schedule plus the shift of the pair's cluster (arXiv 2603.08202).

    ``tau_i(step) = alpha / 2 * cos(2 pi step / period) + shift_i``. With ``alpha = 0`` shifts alone; with all shifts
    equal the schedule alone.

    Args:
        schedule: The base, usually a `CosineSchedule` of mean 0.
        shift_range: Smallest and largest shift in the training data.
        loss: ``"infonce"`` or ``"max-margin"``.
        **options: Options of the loss, see `info_nce`.
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
        self.shifted = ShiftedSchedule(schedule, *shift_range)

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
        temperature_n = self.shifted(
            step, self._needed(shift_n, "shift_n", media_nd).to(accumulation_dtype(media_nd, text_nd))
        )
        return self._at(media_nd, text_nd, temperature_n, media_group_n, text_group_n, weight_n)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest temperature (or margin) of a run, as reached."""
        return self.shifted.range(total_steps)

    def check(self, total_steps: int) -> None:
        """Refuse ``alpha >= 2 * smallest shift``; see `Strategy.check`."""
        self.shifted.check_positive(total_steps, self.quantity)
