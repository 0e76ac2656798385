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
    """A cosine of zero mean that starts at its maximum: ``alpha / 2 * cos(2 pi (step / period + phase))``.

    MM-TS, arXiv 2603.08202: the base all pairs share, to which each adds its cluster's shift.

    Args:
        alpha: Distance from the lowest to the highest value; 0 switches the schedule off.
        period: Steps in one oscillation.
        phase: Where in the oscillation step 0 lies, as a fraction of a period.
        offset: Added to every value: the mean, for use without shifts.

    Raises:
        InputError: ``alpha`` is negative or ``period`` isn't positive.
    """

    alpha: float
    period: float
    phase: float = 0.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not (self.alpha >= 0 and math.isfinite(self.alpha)):
            raise InputError(f"alpha is {self.alpha}; give 0 or a positive number")
        _check_period(self.period)

    @classmethod
    def from_oscillations(
        cls, alpha: float, total_steps: int, oscillations: float, *, phase: float = 0.0, offset: float = 0.0
    ) -> "CosineSchedule":
        """Return the schedule with a number of full oscillations in a run: ``period = int(total / oscillations)``.

        Args:
            alpha: Distance from the lowest to the highest value.
            total_steps: Number of optimizer steps in the run.
            oscillations: Full oscillations in the run.
            phase: Where in the oscillation step 0 lies, as a fraction of a period.
            offset: Added to every value.

        Raises:
            InputError: An oscillation would be shorter than a step.
        """
        return cls(alpha, period_steps(total_steps, oscillations), phase, offset)

    def __call__(self, step: int) -> float:
        """Return the value at a step."""
        return self.offset + self.alpha / 2 * math.cos(_angle(step, self.period, self.phase))

    def lower_bound(self) -> float:
        """Return the trough of the cosine."""
        return self.offset - self.alpha / 2

    def distinct_steps(self, total_steps: int) -> int:
        """Return the period where it is a whole number of steps."""
        return int(self.period) if float(self.period).is_integer() else total_steps


@dataclass(frozen=True)
class TSSchedule(Schedule):
    """Temperature schedules: a cosine from ``maximum`` down to ``minimum`` and back each period.

    ``minimum + (maximum - minimum) * (1 + cos(2 pi (step / period + phase))) / 2`` (Kukleva et al., ICLR 2023, arXiv
    2303.13664).

    Args:
        minimum: Lowest value.
        maximum: Highest value, the first.
        period: Steps in one oscillation.
        phase: Where in the oscillation step 0 lies, as a fraction of a period.

    Raises:
        InputError: ``maximum`` is below ``minimum``, or ``period`` isn't positive.
    """

    minimum: float
    maximum: float
    period: float
    phase: float = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not self.minimum <= self.maximum:
            raise InputError(f"minimum {self.minimum} is above maximum {self.maximum}; swap them")
        _check_period(self.period)

    def __call__(self, step: int) -> float:
        """Return the value at a step."""
        wave = (1 + math.cos(_angle(step, self.period, self.phase))) / 2
        return self.minimum + (self.maximum - self.minimum) * wave

    def lower_bound(self) -> float:
        """Return the minimum."""
        return self.minimum

    def distinct_steps(self, total_steps: int) -> int:
        """Return the period where it is a whole number of steps."""
        return int(self.period) if float(self.period).is_integer() else total_steps


@dataclass(frozen=True)
class LinearSchedule(Schedule):
    """A straight line from ``first`` to ``last``, which then stays.

    Args:
        first: Value at step 0.
        last: Value from step ``steps`` on.
        steps: Steps the line takes.

    Raises:
        InputError: ``steps`` is less than 1.
    """

    first: float
    last: float
    steps: int

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.steps < 1:
            raise InputError(f"steps is {self.steps}; a line takes at least one step")

    def __call__(self, step: int) -> float:
        """Return the value at a step."""
        done = min(step / self.steps, 1.0)
        return self.first * (1 - done) + self.last * done

    def lower_bound(self) -> float:
        """Return the lower end of the line."""
        return min(self.first, self.last)

    def distinct_steps(self, total_steps: int) -> int:
        """Return the steps up to the end of the line."""
        return self.steps + 1


@dataclass(frozen=True)
class WarmUpSchedule(Schedule):
    """A straight line to the first value of another schedule, which then runs from its step 0.

    Args:
        schedule: What follows the warm-up.
        steps: Steps the warm-up takes.
        start: Value at step 0: 0 for a base that shifts are added to.

    Raises:
        InputError: ``steps`` is negative.
    """

    schedule: Schedule
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.steps < 0:
            raise InputError(f"steps is {self.steps}; give 0 or more steps of warm-up")

    def __call__(self, step: int) -> float:
        """Return the value at a step."""
        if step >= self.steps:
            return self.schedule(step - self.steps)
        return self.start + (self.schedule(0) - self.start) * step / self.steps

    def lower_bound(self) -> float:
        """Return the lower of the start and what follows."""
        return min(self.start, self.schedule.lower_bound())

    def distinct_steps(self, total_steps: int) -> int:
        """Return the warm-up and what follows needs."""
        return self.steps + self.schedule.distinct_steps(max(1, total_steps - self.steps))


def period_steps(total_steps: int, oscillations: float) -> int:
    """Return the steps of one oscillation, ``int(total_steps / oscillations)``.

    Args:
        total_steps: Number of optimizer steps in the run.
        oscillations: Full oscillations in the run.

    Raises:
        InputError: An oscillation would be shorter than a step, or ``oscillations`` isn't positive.
    """
    if not oscillations > 0:
        raise InputError(f"oscillations is {oscillations}; give a positive number")
    period = int(total_steps / oscillations)
    if period < 1:
        raise InputError(
            f"{oscillations:g} oscillations don't fit {total_steps} steps; give at most {total_steps} oscillations"
        )
    return period


def _angle(step: int, period: float, phase: float) -> float:
    # Reduced to one period first: the cosine of a large angle loses digits, and repeats only nearly.
    return 2 * math.pi * (step % period / period + phase)


def _check_period(period: float) -> None:
    if not (period > 0 and math.isfinite(period)):
        raise InputError(f"period is {period}; give a positive number of steps")
