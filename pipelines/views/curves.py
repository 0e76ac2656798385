"""How training went: loss, temperature and learning rate by step, and the score of each validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import STEPS, read_table
from pipelines.artifacts.files import read_json
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.contrast import LOSSES
from pipelines.errors import InputError
from pipelines.remote import located
from pipelines.views.pictured import Pictured

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Pictured):
    """One run. Of a long one each of p points stands for several steps in a row.

    A run that was stopped and resumed has the curves of one that was not, bit for bit.

    Attributes:
        name: What it is called.
        quantity: ``temperature`` or ``margin``.
        steps: Steps on record.
        step_p: Step in the middle of each point, from 0 ``(p,)``.
        loss_p: Mean loss ``(p,)``.
        loss_min_p: Smallest loss of a step ``(p,)``.
        loss_max_p: Largest ``(p,)``.
        temperature_min_p: Lowest temperature, or margin, of any pair ``(p,)``.
        temperature_mean_p: Mean ``(p,)``.
        temperature_max_p: Highest ``(p,)``.
        learning_rate_p: Mean learning rate ``(p,)``.
        metric: Score that chose the best epoch; None without validation.
        epoch_v: Epoch of each of v validations ``(v,)``; none of a run that isn't complete.
        step_v: Steps done at each validation ``(v,)``; NaN where their record was lost.
        scores: ``scores[metric]``: each score that validation has, in percent or sums of percents ``(v,)``.
        best_epoch: Epoch whose weights were kept; None of a run without validation, or that isn't complete.
    """

    name: str
    quantity: str
    steps: int
    step_p: Points
    loss_p: Points
    loss_min_p: Points
    loss_max_p: Points
    temperature_min_p: Points
    temperature_mean_p: Points
    temperature_max_p: Points
    learning_rate_p: Points
    metric: str | None
    epoch_v: NDArray[np.int64]
    step_v: Points
    scores: Mapping[str, Points]
    best_epoch: int | None


def read_curves(run: Path | str, *, name: str | None = None, points: int = 1000) -> Curves:
    """See how training went, also while it runs.

    Args:
        run: Run folder.
        name: What to call it; by default as its folder is called.
        points: Most points; of a longer run, as many steps in a row as needed become one.

    Raises:
        InputError: The folder is not a run's, or its files can't be used.
    """
    run = located(run)
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; give one that `mmts train` wrote")
    parameters = read_run_parameters(run)
    table = read_table(run / "steps.parquet", STEPS)
    columns = {name: table.column(name).to_numpy() for name in STEPS.columns}
    validations, best_epoch = _validations(run)
    epoch_v = np.array([each["epoch"] for each in validations], dtype=np.int64)
    names = [name for name in validations[0] if name != "epoch"] if validations else []
    starts = np.arange(0, table.num_rows, -(-table.num_rows // points))
    return Curves(
        name=name or run.name or str(run),
        quantity=LOSSES[parameters["loss"]].quantity if parameters.get("loss") in LOSSES else "temperature",
        steps=table.num_rows,
        step_p=_means(columns["step"], starts),
        loss_p=_means(columns["loss"], starts),
        loss_min_p=np.minimum.reduceat(columns["loss"], starts),
        loss_max_p=np.maximum.reduceat(columns["loss"], starts),
        temperature_min_p=np.minimum.reduceat(columns["temperature_min"], starts),
        temperature_mean_p=_means(columns["temperature_mean"], starts),
        temperature_max_p=np.maximum.reduceat(columns["temperature_max"], starts),
        learning_rate_p=_means(columns["learning_rate"], starts),
        metric=parameters.get("metric", "recall_sum") if validations else None,
        epoch_v=epoch_v,
        step_v=_steps_done(columns, epoch_v),
        scores={name: np.array([each[name] for each in validations], dtype=np.float64) for name in names},
        best_epoch=best_epoch,
    )


def _means(value_s: NDArray[Any], starts: NDArray[np.int64]) -> Points:
    lengths = np.diff(np.append(starts, len(value_s)))
    means: Points = np.add.reduceat(value_s.astype(np.float64), starts) / lengths
    return means


def _validations(run: Path) -> tuple[list[dict[str, Any]], int | None]:
    """The scores of a complete run's validations, and its best epoch if there are any."""
    path = run / "metrics.json"
    if not path.exists():
        return [], None
    metrics = read_json(path)
    try:
        found = metrics["validation"]
        names = dict.fromkeys(("epoch", *(found[0] if found else ())))
        return [{name: each[name] for name in names} for each in found], metrics["best_epoch"] if found else None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is not what `mmts train` writes; train again") from error


def _steps_done(columns: Mapping[str, NDArray[Any]], epoch_v: NDArray[np.int64]) -> Points:
    """Steps done at the end of each epoch."""
    last = np.searchsorted(columns["epoch"], epoch_v, side="right") - 1
    known = (last >= 0) & (columns["epoch"][last] == epoch_v)
    return np.where(known, columns["step"][last] + 1.0, np.nan)
