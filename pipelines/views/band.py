"""The band of temperatures, or margins, that shifts and a schedule make: known before a run starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.artifacts import STEPS, canonical_split, read_annotations, read_shifts, read_table, rows_of_split
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.contrast import LOSSES, MMTS, BandLine, LossName, band, make_strategy
from pipelines.errors import InputError
from pipelines.remote import located
from pipelines.views.pictured import Pictured

_MOST_STEPS = 10**9  # far beyond any run


@dataclass(frozen=True, repr=False)
class Band(Pictured):
    """A planned run's temperatures, or margins.

    Attributes:
        quantity: ``temperature`` or ``margin``.
        lowest: Lowest value of any sample at any step, exactly as reached.
        highest: Highest value of any sample at any step.
        settings: The numbers of the schedule, defaults included: ``alpha``, ``oscillations``.
        lines: How all samples, and the tail, middle and head third, run over the steps.
        thirds_of: Which samples these are, in words: ``the 3,810 samples of split train``.
    """

    quantity: str
    lowest: float
    highest: float
    settings: Mapping[str, float]
    lines: list[BandLine]
    thirds_of: str


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
    sample_ids, which, of = None, "all", Path(shifts).name
    if annotations is not None:
        path = located(annotations)
        rows = rows_of_split(read_annotations(path, texts=False), split, path)
        sample_ids, of = rows.column("sample_id"), path.name
        if "split" in rows.column_names:
            which, of = "the", f"split {canonical_split(split)}"
    read = read_shifts(located(shifts), sample_ids)
    strategy = make_strategy(
        "mmts", loss=loss, alpha=alpha, oscillations=oscillations, total_steps=steps, shift_range=read.range
    )
    assert isinstance(strategy, MMTS)
    low, high = strategy.range(steps)
    shift_n, size_n = torch.from_numpy(read.shift_n), torch.from_numpy(read.cluster_size_n)
    lines = band(strategy.shifted.base, shift_n, size_n, steps)
    return Band(LOSSES[loss].quantity, low, high, strategy.settings, lines, f"{which} {len(shift_n):,} samples of {of}")


def band_of_run(run: Path | str, shifts: Path | None = None, annotations: Path | None = None) -> Band:
    """The temperatures that a run with ``--temperature mmts`` has over all its epochs, also while it runs.

    Args:
        run: Run folder.
        shifts: Its shifts, if they were moved; by default they are read from where training read them.
        annotations: Its annotations, likewise.

    Raises:
        InputError: The folder is not a run's, its first epoch isn't over, another strategy sets its temperatures, or
            a file can't be used.
    """
    run = located(run)
    parameters = read_run_parameters(run)
    if parameters.get("temperature") != "mmts":
        raise InputError(
            f"{run}: was trained with --temperature {parameters.get('temperature')}, which knows no head and tail in "
            "advance; see its temperatures with `mmts plot curves`"
        )
    epoch_s = read_table(run / "steps.parquet", STEPS, ["epoch"]).column("epoch").to_numpy()
    whole = len(epoch_s) if (run / "metrics.json").exists() else int((epoch_s < epoch_s[-1]).sum())
    if not whole:
        raise InputError(f"{run}: its first epoch isn't over, so its number of steps isn't known; try again later")
    steps_an_epoch = int((epoch_s[:whole] == epoch_s[0]).sum())
    return plan_band(
        shifts or parameters["shifts"],
        steps=parameters["epochs"] * steps_an_epoch,
        alpha=parameters.get("alpha"),
        oscillations=parameters.get("oscillations"),
        loss=parameters["loss"],
        annotations=annotations or parameters["annotations"],
        split=parameters["split"],
    )
