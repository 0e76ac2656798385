"""The band of temperatures, or margins, that shifts and a schedule make: known before a run starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.artifacts import read_annotations, read_shifts, rows_of_split
from pipelines.contrast import MMTS, BandLine, LossName, band, make_strategy
from pipelines.errors import InputError

_MOST_STEPS = 10**9  # far beyond any run


@dataclass(frozen=True)
class Band:
    """A planned run's temperatures.

    Attributes:
        lowest: Lowest value of any sample at any step, exactly as reached.
        highest: Highest value of any sample at any step.
        settings: The numbers of the schedule, defaults included: ``alpha``, ``oscillations``.
        lines: How all samples, and the tail, middle and head third, run over the steps.
    """

    lowest: float
    highest: float
    settings: Mapping[str, float]
    lines: list[BandLine]


def plan_band(
    shifts: Path | str,
    *,
    steps: int,
    alpha: float | None = None,
    oscillations: float | None = None,
    loss: LossName = "infonce",
    annotations: Path | str | None = None,
    split: str = "train",
) -> Band:
    """Work out the temperatures of a run with ``--temperature mmts`` without running it.

    Args:
        shifts: Shifts file.
        steps: Optimizer steps of the run.
        alpha: Distance from the lowest to the highest value of the cosine; by default that of ``train``.
        oscillations: Full periods in the run; by default that of ``train``.
        loss: One of `LOSSES`, which says whether these are temperatures or margins.
        annotations: Annotations file; with it only the samples of ``split`` count, as in training.
        split: Split to train on.

    Raises:
        InputError: A file can't be used, or ``train`` would refuse the settings.
    """
    if not 1 <= steps <= _MOST_STEPS:
        raise InputError(f"--steps {steps}: expected 1 to {_MOST_STEPS:,}")
    sample_ids = None
    if annotations is not None:
        path = Path(annotations)
        sample_ids = rows_of_split(read_annotations(path), split, path).column("sample_id")
    read = read_shifts(Path(shifts), sample_ids)
    strategy = make_strategy(
        "mmts", loss=loss, alpha=alpha, oscillations=oscillations, total_steps=steps, shift_range=read.range
    )
    assert isinstance(strategy, MMTS)
    low, high = strategy.range(steps)
    sizes = torch.from_numpy(read.cluster_size_n)
    return Band(low, high, strategy.settings, band(strategy.shifted.base, torch.from_numpy(read.shift_n), sizes, steps))
