"""The runs of a sweep: each trained in memory on data that were read once, and scored into a folder of its own."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pipelines.artifacts import SHIFTS, StagePlan, mean_frequency, read_annotations, read_table
from pipelines.artifacts.files import read_json, replacing_json, write_json
from pipelines.artifacts.strings import string_column
from pipelines.errors import InputError
from pipelines.evaluate.query_table import Ids, query_table
from pipelines.remote import remove_folder
from pipelines.scores.evaluation import Evaluation
from pipelines.sweep.space import Way
from pipelines.train.config import TrainConfig
from pipelines.train.data import PairedData, RunFiles, pair_up, read_files
from pipelines.train.figures import NotFiniteError
from pipelines.train.in_memory import train_in_memory
from pipelines.train.session import Session, view_of
from pipelines.train.stage import train_plan
from pipelines.train.validation import score_pairs, summed_recalls

Stage = Literal["search", "test"]
METRICS, RANKS, FAILED = "metrics.json", "ranks.parquet", "failed.json"


@dataclass(frozen=True)
class Run:
    """A run of a sweep.

    Attributes:
        way: What is tried.
        stage: ``search``, a trial scored on validation; or ``test``, a seed of the best setting.
        number: Of the trial, from 1; the seed of a test.
        options: What was drawn, ``level`` first.
        config: The settings of its training.
        split: The split that it is scored on.
    """

    way: Way
    stage: Stage
    number: int
    options: Mapping[str, Any]
    config: TrainConfig
    split: str

    @property
    def name(self) -> str:
        """The name of its folder."""
        kind = "trial" if self.stage == "search" else "seed"
        return f"{self.way.name}-{self.way.loss}-{kind}-{self.number}"

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings of ``mmts train``, but the output."""
        settings: dict[str, Any] = self.config.model_dump(mode="json", exclude_defaults=True)
        return {name: value for name, value in settings.items() if name != "output"} | {"seed": self.config.seed}

    def folder(self, sweep: Path) -> Path:
        """Where its scores are."""
        return sweep / "runs" / self.name


class Data:
    """The files of a sweep, read once in each process, where they are first needed.

    Args:
        config: Settings of any run, without shifts and clusters.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    @cached_property
    def files(self) -> RunFiles:
        """The files that all runs share."""
        return read_files(self.config)

    @cached_property
    def _annotations_with_texts(self) -> pa.Table:
        """The annotations for runs that read texts, as some settings do and others don't."""
        if self.config.reads_texts:
            return self.files.annotations
        return read_annotations(self.config.annotations)

    def of(self, config: TrainConfig) -> RunFiles:
        """The files of a run: those that all share, and its own shifts and clusters."""
        return dataclasses.replace(
            self.files,
            annotations=self._annotations_with_texts if config.reads_texts else self.files.annotations,
            shifts=None if config.shifts is None else read_table(config.shifts, SHIFTS),
            clusters=None if config.clusters is None else mean_frequency([config.clusters]),
        )


def finished(run: Run, sweep: Path) -> dict[str, Any] | None:
    """What a run gave, if it was done before with the same settings, data and version of mmts; else None."""
    folder, plan = run.folder(sweep), _plan(run, sweep)
    try:
        if (folder / FAILED).exists():
            failed = read_json(folder / FAILED)
            return failed if failed["fingerprint"] == plan.fingerprint else None
        done = plan.finished(force=False)
        metrics = read_json(folder / METRICS)
    except InputError:
        return None  # a file is damaged, changed or gone: the run is done again
    return metrics if done and metrics == done.summary else None


def perform(run: Run, data: Data, sweep: Path) -> dict[str, Any]:
    """Train and score a run, and write its folder.

    Returns:
        What ``metrics.json`` holds, as that of ``mmts eval``, with ``run``, what the run was; or ``failed``, why it
        came to nothing.

    Raises:
        InputError: A setting can't be used.
        Interrupted: It was asked to stop.
    """
    began = time.perf_counter()
    folder, plan = run.folder(sweep), _plan(run, sweep)
    remove_folder(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    about = {"strategy": run.way.name, "loss": run.way.loss, "stage": run.stage, "number": run.number}
    about |= {"seed": run.config.seed, "split": run.split, "options": dict(run.options)}
    files = data.of(run.config)
    try:
        session, state = train_in_memory(run.config, files)
    except NotFiniteError as error:
        about["seconds"] = time.perf_counter() - began
        found = {"run": about, "failed": str(error), "fingerprint": plan.fingerprint}
        write_json(folder / FAILED, found)
        return found
    best = next(each for each in state.validations if each["epoch"] == state.best_epoch)
    pairs = _pairs(session, files, run)
    evaluation = score_pairs(session, pairs)
    about |= {"best_epoch": state.best_epoch, "validation": best, "steps": state.step}
    about |= {"scores": summed_recalls(evaluation), "seconds": time.perf_counter() - began}
    return _write(run, plan, evaluation, pairs, about, files)


def _pairs(session: Session, files: RunFiles, run: Run) -> PairedData:
    """What a run is scored on."""
    assert session.validation is not None
    if run.split == run.config.val_split:
        return session.validation
    return pair_up(files, run.config, run.split, view=view_of(run.config, session.encoder))


def _write(
    run: Run, plan: StagePlan, evaluation: Evaluation, pairs: PairedData, about: dict[str, Any], files: RunFiles
) -> dict[str, Any]:
    metrics = evaluation.metrics()
    if files.frequency is not None:
        metrics["cluster_sizes"] = files.frequency.said
    metrics["trained"] = train_plan(run.config).provenance().made_from
    metrics["run"] = about
    table = query_table(
        evaluation, Ids(string_column(pairs.media.ids).combine_chunks(), pairs.sample_ids.column.combine_chunks())
    )
    with replacing_json(plan.output.parent / METRICS, metrics), plan.writer(table.schema) as writer:
        writer.summary = metrics
        writer.write(table)
    return metrics


def _plan(run: Run, sweep: Path) -> StagePlan:
    trained = train_plan(run.config)
    return StagePlan(
        "sweep",
        run.folder(sweep) / RANKS,
        {"trained": trained.fingerprint, "split": run.split, "options": dict(run.options)},
        {},
        seed=run.config.seed,
        libraries=("torch", "numpy", "pyarrow"),
    )
