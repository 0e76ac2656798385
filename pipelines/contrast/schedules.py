"""Schedules: a number that depends on the step alone, so a resumed run continues it."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from pipelines.errors import InputError


class Schedule(ABC):
    """A number for each optimizer step, counted from 0.

    Called with a step it returns that step's value. It keeps no state.
    """

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the value at a step."""

    @abstractmethod
    def lower_bound(self) -> float:
        """Return a value the schedule doesn't go below, however long the run."""

    def distinct_steps(self, total_steps: int) -> int:
        """Return how many first steps of a run show every value the run will have."""
        return total_steps

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest value at the steps ``0 .. total_steps - 1``, as actually reached.

        Args:
            total_steps: Number of optimizer steps in the run.

        Raises:
            InputError: ``total_steps`` is less than 1.
        """
        if total_steps < 1:
            raise InputError(f"total_steps is {total_steps}; a run has at least one step")
        values = [self(step) for step in range(min(total_steps, self.distinct_steps(total_steps)))]
        return min(values), max(values)


@dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """The same value at every step.

    Args:
        value: The value.
    """

    value: float

    def __call__(self, step: int) -> float:
        """Return the value."""
        return self.value

    def lower_bound(self) -> float:
        """Return the value."""
        return self.value

    def distinct_steps(self, total_steps: int) -> int:
        """Return 1."""
        return 1


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """A cosine that starts at its maximum: ``mean + alpha / 2 * cos(2 pi step / period)``.

    With mean 0 the base of MM-TS (arXiv 2603.08202) that all pairs share, to which each adds its cluster's shift. TS
    (arXiv 2303.13664) from tau_max down to tau_min is that of ``alpha = tau_max - tau_min`` around their middle.

    Args:
        alpha: Distance from the lowest to the highest value; 0 switches the schedule off.
        period: Steps in one oscillation.
        mean: Added to every value, for use without shifts.

    Raises:
        InputError: ``alpha`` is negative or ``period`` isn't positive.
    """

    alpha: float
    period: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not (self.alpha >= 0 and math.isfinite(self.alpha)):
            raise InputError(f"alpha is {self.alpha}; give 0 or a positive number")
        if not (self.period > 0 and math.isfinite(self.period)):
            raise InputError(f"period is {self.period}; give a positive number of steps")

    @classmethod
    def from_oscillations(
        cls, alpha: float, total_steps: int, oscillations: float, *, mean: float = 0.0
    ) -> "CosineSchedule":
        """Return the schedule with a number of full oscillations in a run: ``period = int(total / oscillations)``.

        Args:
            alpha: Distance from the lowest to the highest value.
            total_steps: Number of optimizer steps in the run.
            oscillations: Full oscillations in the run.
            mean: Added to every value.

        Raises:
            InputError: An oscillation would be shorter than a step.
        """
        return cls(alpha, period_steps(total_steps, oscillations), mean)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest value at the steps ``0 .. total_steps - 1``, as actually reached."""
        if total_steps < 1 or self.period != int(self.period):
            return super().range(total_steps)
        # It falls from step 0 to the middle of a period: these steps tell, however many there are.
        half, last = int(self.period) // 2, total_steps - 1
        values = [self(min(step, last)) for step in (0, half, int(self.period) - half)]
        return min(values), max(values)

    def __call__(self, step: int) -> float:
        """Return the value at a step."""
        # Reduced to one period first: the cosine of a large angle loses digits, and repeats only nearly.
        return self.mean + self.alpha / 2 * math.cos(2 * math.pi * (step % self.period / self.period))

    def lower_bound(self) -> float:
        """Return the trough of the cosine."""
        return self.mean - self.alpha / 2

    def distinct_steps(self, total_steps: int) -> int:
        """Return the period where it is a whole number of steps."""
        return int(self.period) if float(self.period).is_integer() else total_steps


def period_steps(total_steps: int, oscillations: float) -> int:
    """Return the steps of one oscillation, ``int(total_steps / oscillations)``.

    Args:
        total_steps: Number of optimizer steps in the run.
        oscillations: Full oscillations in the run.

    Raises:
        InputError: An oscillation would be shorter than a step, or ``oscillations`` isn't positive.
    """
    try:
        period = int(total_steps / oscillations) if oscillations > 0 else 0
    except OverflowError:
        raise InputError("oscillations or steps are beyond any run; give numbers as a run has them") from None
    if not oscillations > 0:
        raise InputError(f"oscillations is {oscillations}; give a positive number")
    if period < 1:
        raise InputError(
            f"{oscillations:g} oscillations don't fit {total_steps} steps; give at most {total_steps} oscillations"
        )
    return period
