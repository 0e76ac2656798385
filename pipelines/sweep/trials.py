"""Reading back the trials of a sweep, with the scores of each one's queries; loads no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts import Kind, read_provenance, read_table
from pipelines.artifacts.files import read_json
from pipelines.compare import read_queries
from pipelines.errors import InputError
from pipelines.scores import QueryScores
from pipelines.sweep.found import TABLE
from pipelines.sweep.recalls import with_mean_recall

_TEXTS = ("run", "strategy", "loss", "stage", "split", "failed", "settings")
_SWEEP = Kind("sweep", "run", dict.fromkeys(_TEXTS, pa.string()))


@dataclass(frozen=True)
class Trial:
    """A trial of a sweep, scored on its validation split.

    Attributes:
        run: Its folder in ``runs``.
        strategy: Strategy, with another balance after a plus.
        loss: Loss.
        options: What was drawn, ``level`` first.
        settings: Of ``mmts train``, but the output.
        score: What the sweep chose by.
        queries: `QueryScores` of both directions, with mean recall.
    """

    run: str
    strategy: str
    loss: str
    options: dict[str, Any]
    settings: dict[str, Any]
    score: float
    queries: dict[str, QueryScores]


@dataclass(frozen=True)
class Search:
    """The trials of a sweep, in its order, so that those of the baseline come first.

    Attributes:
        trials: Those that came to something.
        split: Split that they were scored on.
        metric: Score that the sweep chose by.
    """

    trials: list[Trial]
    split: str
    metric: str


def read_search(folder: Path) -> Search:
    """The trials of a sweep whose search is complete; tests may still be missing.

    Raises:
        InputError: The folder holds no such sweep, or its runs are not those of its table.
    """
    path = folder / TABLE
    if not path.exists():
        if (folder / "runs").is_dir():
            raise InputError(f"{folder}: its search isn't complete; go on with the command that began the sweep")
        raise InputError(f"{path}: no such file; give a folder that `mmts sweep` wrote")
    provenance = read_provenance(path)
    metric = None if provenance is None else provenance.parameters.get("metric")
    if provenance is None or provenance.stage != "sweep" or not isinstance(metric, str):
        raise InputError(f"{path}: is not what `mmts sweep` writes; run the command that began the sweep again")
    rows = [
        row
        for row in read_table(path, _SWEEP, [*_SWEEP.columns, metric]).to_pylist()
        if row["stage"] == "search" and row["failed"] is None
    ]
    if not rows:
        raise InputError(f"{path}: has no trial that came to a finite loss; sweep again with a lower --lr")
    options = [_options(folder / "runs" / row["run"], row[metric], metric) for row in rows]
    queries = read_queries([folder / "runs" / row["run"] for row in rows])
    trials = [
        Trial(
            row["run"],
            row["strategy"],
            row["loss"],
            of_trial,
            json.loads(row["settings"]),
            row[metric],
            with_mean_recall(of_run),
        )
        for row, of_trial, of_run in zip(rows, options, queries, strict=True)
    ]
    return Search(trials, rows[0]["split"], metric)


def _options(run: Path, score: float, metric: str) -> dict[str, Any]:
    """The options of a run; refuses one that is gone, or was done again since the table was written."""
    remedy = "go on with the command that began the sweep"
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; {remedy}")
    metrics = read_json(run / "metrics.json")
    about: Any = metrics.get("run") if isinstance(metrics, dict) else None
    try:
        found, options = about["scores"][metric], dict(about["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run / 'metrics.json'}: is not that of a sweep's run; {remedy}") from error
    if found != score:
        raise InputError(f"{run}: has changed since {TABLE} was written; {remedy}")
    return options
