"""The folder that scores are written to: what is there already."""

import contextlib
import warnings
from pathlib import Path

from pipelines.artifacts import StagePlan, StageResult, read_provenance
from pipelines.artifacts.provenance import is_intact
from pipelines.errors import InputError
from pipelines.evaluate.result import read_metrics


def refuse_other_folder(output: Path, *, force: bool) -> None:
    """Refuse a run's folder, and without ``force`` one that holds anything but scores.

    Raises:
        InputError: It is such a folder.
    """
    if (output / "config.json").exists():
        raise InputError(f"{output}: is a run folder, whose files the scores would replace; choose another -o")
    if force or not output.is_dir() or not any(output.iterdir()) or (output / "ranks.parquet").exists():
        return
    if read_metrics(output / "metrics.json") is None:
        raise InputError(f"{output}: holds files that are not scores; use --force, or another output folder")


def finished_scores(plan: StagePlan, metrics_file: Path, beside: Path, *, force: bool) -> StageResult | None:
    """The result of an earlier run, where all files are as it wrote them; damaged ones are made again.

    Args:
        plan: What determines the scores.
        metrics_file: Where ``metrics.json`` is.
        beside: Where the second table is.
        force: Whether to score anyway.

    Raises:
        InputError: ``ranks.parquet`` isn't what mmts wrote, and nothing beside it says that the folder holds scores.
    """
    metrics = read_metrics(metrics_file)
    try:
        done = plan.finished(force=force)
    except InputError:
        if metrics is None:
            raise
        warnings.warn(f"{plan.output}: damaged or changed since mmts wrote it; made again", stacklevel=3)
        return None
    if done and metrics != done.summary:
        if metrics_file.exists():
            warnings.warn(f"{metrics_file}: damaged or changed since mmts wrote it; made again", stacklevel=3)
        return None
    if done and not _is_of(beside, plan):
        if beside.exists():
            warnings.warn(f"{beside}: damaged or changed since mmts wrote it; made again", stacklevel=3)
        return None
    return done


def remove_scores_of_others(path: Path) -> None:
    """Remove a table that another protocol wrote to the same folder, so that it isn't taken for one of these scores."""
    with contextlib.suppress(InputError):  # no such file, or none of ours
        made = read_provenance(path)
        if made is not None and made.stage == "eval":
            path.unlink()


def _is_of(path: Path, plan: StagePlan) -> bool:
    """Whether a file beside the plan's output is as the same plan wrote it."""
    try:
        provenance = read_provenance(path)
        return provenance is not None and provenance.fingerprint == plan.fingerprint and is_intact(path, provenance)
    except InputError:
        return False
