"""Reading back the trials of a sweep, with the scores of each one's queries; loads no torch."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.artifacts import SWEEP, open_parquet, read_provenance, read_table
from pipelines.artifacts.files import read_json
from pipelines.compare import read_queries
from pipelines.errors import InputError
from pipelines.scores import QueryScores
from pipelines.scores.queries import DIRECTIONS
from pipelines.sweep.found import TABLE
from pipelines.sweep.recalls import MEAN_RECALL, with_mean_recall

_GO_ON = "go on with the command that began the sweep"


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
    """

    run: str
    strategy: str
    loss: str
    options: dict[str, Any]
    settings: dict[str, Any]
    score: float


@dataclass(frozen=True)
class Search:
    """The trials of a sweep, in its order, so that those of the baseline come first.

    Attributes:
        trials: Those that came to something.
        split: Split that they were scored on.
        metric: Score that the sweep chose by.
        queries: `QueryScores` of both directions; the values are each trial's mean recall, by run, so that the
            intervals of all come from the same draws.
    """

    trials: list[Trial]
    split: str
    metric: str
    queries: Mapping[str, QueryScores]

    def queries_of(self, trial: Trial) -> dict[str, QueryScores]:
        """The mean recall of one trial's queries."""
        return {
            direction: dataclasses.replace(scores, values={MEAN_RECALL: scores.values[trial.run]})
            for direction, scores in self.queries.items()
        }


def read_search(folder: Path) -> Search:
    """The trials of a sweep whose search is complete; tests may still be missing.

    Raises:
        InputError: The folder holds no such sweep, or its runs are not those of its table.
    """
    path = folder / TABLE
    if not path.exists():
        if (folder / "runs").is_dir():
            raise InputError(f"{folder}: its search isn't complete; {_GO_ON}")
        raise InputError(f"{path}: no such file; give a folder that `mmts sweep` wrote")
    provenance = read_provenance(path)
    metric = None if provenance is None else provenance.parameters.get("metric")
    if provenance is None or provenance.stage != "sweep" or not isinstance(metric, str):
        raise InputError(f"{path}: is not what `mmts sweep` writes; {_GO_ON}")
    columns = [*SWEEP.columns, metric]
    with open_parquet(path) as file:
        lacking = [name for name in columns if name not in file.schema_arrow.names]
    if lacking:
        raise InputError(f"{path}: has no column {lacking[0]}; {_GO_ON}, which writes it without training again")
    rows = [
        row
        for row in read_table(path, SWEEP, columns).to_pylist()
        if row["stage"] == "search" and row["failed"] is None
    ]
    if not rows:
        raise InputError(f"{path}: has no trial that came to a finite loss; sweep again with a lower --lr")
    trials = [_trial(folder, row, metric) for row in rows]
    of_runs = read_queries([folder / "runs" / trial.run for trial in trials])
    for trial, queries in zip(trials, of_runs, strict=True):
        if any("rank" not in queries[direction].values for direction in DIRECTIONS):
            raise InputError(f"{folder / 'runs' / trial.run}: some of its queries have no rank; {_GO_ON}")
    recalls = [with_mean_recall(queries) for queries in of_runs]
    together = {
        direction: dataclasses.replace(
            recalls[0][direction],
            values={
                trial.run: of_run[direction].values[MEAN_RECALL] for trial, of_run in zip(trials, recalls, strict=True)
            },
        )
        for direction in DIRECTIONS
    }
    return Search(trials, rows[0]["split"], metric, together)


def _trial(folder: Path, row: Mapping[str, Any], metric: str) -> Trial:
    """A trial of a row of the table; refuses one whose run is gone, or was done again since the table was written."""
    run = folder / "runs" / row["run"]
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; {_GO_ON}")
    metrics = read_json(run / "metrics.json")
    about: Any = metrics.get("run") if isinstance(metrics, dict) else None
    try:
        score, options, settings = about["scores"][metric], dict(about["options"]), dict(json.loads(row["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run / 'metrics.json'}: is not that of a sweep's run; {_GO_ON}") from error
    if score != row[metric]:
        raise InputError(f"{run}: has changed since {TABLE} was written; {_GO_ON}")
    return Trial(row["run"], row["strategy"], row["loss"], options, settings, score)
