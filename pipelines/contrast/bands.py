"""The band of temperatures or margins a schedule and shifts make, known before the first step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.contrast.schedules import CosineSchedule, Schedule
from pipelines.errors import InputError

THIRDS = ("tail", "middle", "head")

PUBLISHED_ALPHA = 0.08
SMALLEST_LEVEL = 0.01  # CLIP's bound on its temperature, arXiv 2103.00020

# Shifts usually come from float32 columns: alpha = 0.1 and a smallest shift of 0.05000000075 are still a violation.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class ShiftedSchedule:
    """A schedule plus each sample's shift: ``tau_i(step) = base(step) + shift_i``.

    Args:
        base: The part all samples share.
        smallest_shift: Smallest shift in the training data.
        largest_shift: Largest shift in the training data.

    Raises:
        InputError: The shifts are reversed.
    """

    base: Schedule
    smallest_shift: float
    largest_shift: float

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not self.smallest_shift <= self.largest_shift:
            raise InputError(
                f"the smallest shift {self.smallest_shift} is above the largest {self.largest_shift}; swap them"
            )

    def __call__(self, step: int, shift_n: Tensor) -> Tensor:
        """Return each sample's value at a step ``[n]``."""
        return shift_n + self.base(step)

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the lowest and highest value of any sample at the steps ``0 .. total_steps - 1``, as reached.

        Args:
            total_steps: Number of optimizer steps in the run.
        """
        low, high = self.base.range(total_steps)
        return low + self.smallest_shift, high + self.largest_shift

    def check_positive(self, total_steps: int, quantity: str = "temperature") -> None:
        """Refuse a schedule under which a temperature or margin would not stay positive.

        For a cosine the condition is ``alpha < 2 * smallest_shift`` whichever steps the run has.

        Args:
            total_steps: Number of optimizer steps in the run.
            quantity: What is scheduled, for the message.

        Raises:
            InputError: It would reach 0 or less; the message says what would be allowed.
        """
        if isinstance(self.base, CosineSchedule):
            check_alpha(self.base.alpha, self.smallest_shift, self.largest_shift, quantity, self.base.mean)
        low, _ = self.range(total_steps)
        if low <= 0:
            raise InputError(
                f"the {quantity} would fall to {low:.6g}: the schedule reaches {low - self.smallest_shift:.6g} and the "
                f"smallest shift is {self.smallest_shift:.6g}; raise the shifts or the schedule's lowest value"
            )


def check_alpha(
    alpha: float,
    smallest_shift: float,
    largest_shift: float,
    quantity: str = "temperature",
    offset: float = 0.0,
) -> None:
    """Refuse an alpha that would take the lowest temperature or margin to 0 or less.

    The lowest is ``smallest_shift + offset - alpha / 2`` (arXiv 2603.08202; the authors' code goes on with a negative
    one).

    Args:
        alpha: Distance from the lowest to the highest value of the cosine.
        smallest_shift: Smallest shift in the training data.
        largest_shift: Largest shift in the training data.
        quantity: What is scheduled, for the message.
        offset: Mean of the cosine.

    Raises:
        InputError: ``alpha >= 2 * (smallest_shift + offset)``; it gives the three numbers and the limit for alpha.
    """
    limit = 2 * (smallest_shift + offset)
    if limit <= 0:
        raise InputError(
            f"the smallest shift {smallest_shift:.6g} leaves no positive {quantity} whatever alpha is; "
            "give shifts above 0"
        )
    if alpha >= limit * (1 - _ROUNDING):
        with_offset = f" and mean {offset:.6g}" if offset else ""
        raise InputError(
            f"alpha {alpha:.6g} with shifts {smallest_shift:.6g} .. {largest_shift:.6g}{with_offset} takes the "
            f"{quantity} down to {(limit - alpha) / 2:.6g}, which must stay above 0; give an alpha below {limit:.6g} "
            "or raise the smallest shift"
        )


def default_alpha(level: float) -> float:
    """Return the alpha of a cosine around a level, where none is given.

    It is the authors' 0.08 (arXiv 2603.08202) where that leaves the lowest temperature (or margin) at 0.01 or more, as
    with their smallest shift of 0.05 and as CLIP bounds its own; otherwise the level itself, which takes the lowest
    down to half of it.

    Args:
        level: Smallest shift in the training data, or the mean of a cosine without shifts.
    """
    lowest = level - PUBLISHED_ALPHA / 2
    return PUBLISHED_ALPHA if lowest >= SMALLEST_LEVEL * (1 - _ROUNDING) else level


@dataclass(frozen=True)
class BandLine:
    """Temperatures or margins of one group of samples, at each step asked for.

    Attributes:
        name: ``"all"``, ``"tail"``, ``"middle"`` or ``"head"``.
        samples: Number of samples.
        cluster_sizes: Smallest and largest cluster size in the group, or ``None`` for ``"all"``.
        steps: The steps.
        minimum: Lowest value at each step.
        mean: Mean value at each step.
        maximum: Highest value at each step.
    """

    name: str
    samples: int
    cluster_sizes: tuple[float, float] | None
    steps: list[int]
    minimum: list[float]
    mean: list[float]
    maximum: list[float]


def band(
    base: Schedule, shift_n: Tensor, cluster_size_n: Tensor, total_steps: int, *, points: int = 1000
) -> list[BandLine]:
    """Return how temperatures or margins run over a training run: of all samples, and by frequency third.

    Thirds are of the samples sorted by cluster size, as in evaluation by frequency.

    Args:
        base: The schedule all samples share.
        shift_n: Shift of each training sample ``[n]``.
        cluster_size_n: Size of each training sample's cluster ``[n]``.
        total_steps: Number of optimizer steps in the run.
        points: Most steps to return, evenly spaced, first and last included. `Schedule.range` is
            exact whatever this is.

    Returns:
        Lines for all samples, tail, middle and head; thirds without samples are left out.

    Raises:
        InputError: Lengths differ, or there is no sample or no step.
    """
    if total_steps < 1 or points < 2:
        raise InputError(f"total_steps is {total_steps} and points {points}; give at least 1 step and 2 points")
    if len(shift_n) != len(cluster_size_n) or len(shift_n) == 0:
        raise InputError(
            f"there are {len(shift_n)} shifts and {len(cluster_size_n)} cluster sizes; give one of each per sample"
        )
    count = min(points, total_steps)
    steps = [round(k * (total_steps - 1) / max(1, count - 1)) for k in range(count)]
    values = [base(step) for step in steps]
    order = torch.argsort(cluster_size_n, stable=True)
    groups = [("all", order), *zip(THIRDS, frequency_thirds(cluster_size_n), strict=True)]
    lines = []
    for name, members in groups:
        if len(members) == 0:
            continue
        shift = shift_n[members].double()
        size = cluster_size_n[members]
        low, mean, high = float(shift.min()), float(shift.mean()), float(shift.max())
        lines.append(
            BandLine(
                name,
                len(members),
                None if name == "all" else (float(size.min()), float(size.max())),
                steps,
                [value + low for value in values],
                [value + mean for value in values],
                [value + high for value in values],
            )
        )
    return lines


def frequency_thirds(cluster_size_n: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the samples of the tail, middle and head thirds, by cluster size.

    Samples of one size share a third: the one in which the middle of them lies once all are sorted by size. Thirds are
    therefore only as even as the sizes allow.

    Args:
        cluster_size_n: Size of each sample's cluster ``[n]``.

    Returns:
        Row numbers of each third, ascending.
    """
    _, size_of_n, count_u = torch.unique(cluster_size_n, return_inverse=True, return_counts=True)
    twice_middle_u = 2 * count_u.cumsum(0) - count_u
    third_n = (3 * twice_middle_u // (2 * len(cluster_size_n)))[size_of_n]
    tail, middle, head = ((third_n == third).nonzero().squeeze(1) for third in range(3))
    return tail, middle, head
