"""Entry point of ``sweep``: every way of balancing tuned alike on validation, the best of each tested with seeds."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts import (
    Frequency,
    StagePlan,
    StageResult,
    frequency_file,
    mean_frequency,
    read_annotations,
    read_frequency,
    rows_of_split,
)
from pipelines.artifacts.files import require_folder, write_json
from pipelines.artifacts.needs import announce
from pipelines.artifacts.writers import removing_new_folders, sole_writer, writing
from pipelines.errors import InputError, Interrupted
from pipelines.progress import SILENT, Progress
from pipelines.remote import located, remove_folder
from pipelines.shifts import shifts
from pipelines.sweep.config import SweepConfig
from pipelines.sweep.found import SUMMARY, TABLE, read_sweep
from pipelines.sweep.result import SweepResult
from pipelines.sweep.runs import Data, Run, Stage, finished
from pipelines.sweep.settings import options_words
from pipelines.sweep.space import Values, Way, draw
from pipelines.sweep.table import run_table
from pipelines.sweep.verdicts import summarise
from pipelines.sweep.workers import MOST_JOBS, perform_all
from pipelines.train import train
from pipelines.train.config import TrainConfig
from pipelines.train.data import needs_of
from pipelines.train.sampler import steps_an_epoch

Tell = Callable[[str], None]
Found = list[tuple[Run, dict[str, Any]]]
_FREQUENCY, _SIZES = "frequency.parquet", "sizes.parquet"


def sweep(config: SweepConfig, *, jobs: int = 1, tell: Tell = lambda line: None) -> SweepResult:
    """Search each way's options on validation, with as many trials each, and test the best setting of each.

    The folder holds ``runs/NAME/`` (``metrics.json`` and ``ranks.parquet`` of each run, as ``mmts eval`` writes them,
    so that ``mmts compare`` reads them), ``shifts/``, ``frequency.parquet``, ``sweep.parquet`` (one row a run) and
    ``sweep.json`` (what was asked for, what was chosen, verdicts). Runs that are there, of the same settings and data,
    are not done again, so a sweep that was stopped goes on where it was.

    Args:
        config: The settings.
        jobs: Runs at once, each in a process with its share of the cores.
        tell: Called with a line for each run.

    Returns:
        The summary is what ``sweep.json`` holds: that of `summarise`, ``frequency`` (what thirds follow from, or null),
        ``runs``, ``seconds`` (of all runs together, each with its share of the cores) and ``jobs``.

    Raises:
        InputError: A file or setting can't be used.
        Interrupted: It was asked to stop; finished runs are kept.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"--jobs {jobs}: expected a number from 1 to {MOST_JOBS}")
    output = config.output
    with removing_new_folders(output), sole_writer(output), writing(output), _leaving_no_empty_sweep(output):
        _refuse_other_folder(output)
        require_folder(output)
        files = _Files(config)
        trials = [run for way in config.ways for run in files.trials(way)]
        largest = next((run.config for run in trials if run.config.reads_texts), files.first)
        announce(tell, needs_of(largest).of(jobs), output)
        reporter = _Reporter(config.runs, jobs, tell)
        found = _all(trials, files, jobs, reporter)
        chosen = _chosen(config, found)
        files.write_table(found)  # `mmts frontier` shows the search while the tests go on
        tests = [run for way, best in chosen.items() for run in files.tests(way, best)]
        found += _all(tests, files, jobs, reporter)
        files.write_table(found)
        seconds = sum(each["run"]["seconds"] for _, each in found)
        of_all = {"frequency": files.said, "runs": len(found), "seconds": seconds, "jobs": jobs}
        summary = summarise(config, found, chosen, output) | of_all
        write_json(output / SUMMARY, summary)
    return SweepResult(output, reporter.done == 0, summary)


def train_best(folder: Path, *, progress: Progress = SILENT) -> StageResult:
    """Train the best setting that a sweep found, with the seed of its search, into its folder ``best``.

    Raises:
        InputError: The folder holds no finished sweep, or its files have moved.
        Interrupted: It was asked to stop.
    """
    summary = read_sweep(folder)
    best = next(each for each in summary["candidates"] if each["name"] == summary["best"])
    return train(TrainConfig(**{**best["settings"], "output": folder / "best"}), resume=True, progress=progress)


class _Files:
    """The files of a sweep: what its runs read, and what it writes for them."""

    def __init__(self, config: SweepConfig) -> None:
        self.config = config
        self.output = config.output
        self.said: str | None = None  # where the frequencies come from
        self._steps = self._check_splits()
        self._clusters = self._mean_sizes()
        self._frequency = self._declared()
        self.first = config.train_config(temperature="fixed", **self._thirds)
        self.data = Data(self.first)

    @property
    def _thirds(self) -> Values:
        return {} if self._frequency is None else {"frequency": str(self._frequency)}

    def trials(self, way: Way) -> list[Run]:
        """The trials of a way."""
        config = self.config
        drawn = draw(way, config.trials, config.seed, config.search, self._steps)
        return [
            self._run(way, "search", number, options, config.seed, self.first.val_split)
            for number, options in enumerate(drawn, start=1)
        ]

    def tests(self, way: Way, options: Values) -> list[Run]:
        """Runs of a way's best setting, with other seeds than the search."""
        config = self.config
        return [
            self._run(way, "test", config.seed + number, options, config.seed + number, config.test_split)
            for number in range(1, config.seeds + 1)
        ]

    def train_config(self, way: Way, options: Values, seed: int) -> TrainConfig:
        """The settings of ``mmts train`` for a setting of a way; its shifts are written."""
        settings = way.settings(options)
        if way.has_shifts:
            settings["shifts"] = self._shifts(**settings["shifts"])
        if way.needs_sizes:
            settings["clusters"] = self._clusters
        return self.config.train_config(**{**settings, **self._thirds, "seed": seed})

    def write_table(self, found: Found) -> None:
        """Write what runs gave as a table."""
        config = self.config
        parameters = {
            "strategies": list(config.strategies),
            "losses": list(config.losses),
            "trials": config.trials,
            "seeds": config.seeds,
            "metric": config.metric,
            "test_split": config.test_split,
            "runs": len(found),
        }
        inputs = {"annotations": self.first.annotations}
        plan = StagePlan("sweep", self.output / TABLE, parameters, inputs, seed=config.seed)
        table = run_table(found)
        with plan.writer(table.schema) as writer:
            writer.write(table)

    def _check_splits(self) -> int:
        """Check that there is something to train on, to choose by and to test on; gives the steps of a run."""
        first = self.config.first_config()
        table = read_annotations(first.annotations, texts=False)
        if "split" not in table.column_names:
            raise InputError(f"{first.annotations}: has no column split; a sweep needs train, val and test")
        for split in (first.val_split, self.config.test_split):
            rows_of_split(table, split, first.annotations)
        media = rows_of_split(table, first.split, first.annotations).column("media_id").unique()
        return steps_an_epoch(len(media), first.batch_size) * first.epochs

    def _run(self, way: Way, stage: Stage, number: int, options: Values, seed: int, split: str) -> Run:
        return Run(way, stage, number, options, self.train_config(way, options, seed), split)

    def _shifts(self, level: float, tail: float, rule: str) -> Path:
        path = self.output / "shifts" / f"level{level:g}-tail{tail:g}-{rule}.parquet"
        path.parent.mkdir(exist_ok=True)
        rule = "linear" if tail == 0 else rule
        shifts(list(self.config.clusters), path, level=level, tail=tail, rule=rule, force=False)
        return path

    def _mean_sizes(self) -> Path | None:
        """A file with the sizes of the clusters: the one given, or the mean of several."""
        clusters = [located(path) for path in self.config.clusters]
        if len(clusters) < 2:
            return clusters[0] if clusters else None
        return self._write(_SIZES, clusters, lambda: mean_frequency(clusters))

    def _declared(self) -> Path | None:
        """The file that thirds follow from, for all runs."""
        source, annotations = self.config.frequency, located(self.config.shared["annotations"])
        clusters = [located(path) for path in self.config.clusters]
        if source is not None:
            file = frequency_file(source, annotations)
            inputs, column = ([annotations], source) if file is None else ([file], None)
            return self._write(_FREQUENCY, inputs, lambda: read_frequency(source, annotations), column)
        return self._write(_FREQUENCY, clusters, lambda: mean_frequency(clusters)) if clusters else None

    def _write(
        self, name: str, inputs: Sequence[Path], read: Callable[[], Frequency], column: str | None = None
    ) -> Path:
        """Write cluster sizes, unless they are there; those of the same files by other paths are the same."""
        roles = {f"source {number}": path for number, path in enumerate(inputs, start=1)}
        plan = StagePlan("frequency", self.output / name, {"column": column}, roles)
        done = plan.finished(force=False)
        if done:
            self.said = str(done.summary["source"])
            return plan.output
        frequency = read()
        self.said = frequency.said
        table = pa.table({"sample_id": frequency.sample_ids, "cluster_size": frequency.size_n})
        with plan.writer(table.schema) as writer:
            writer.summary = {"source": frequency.said}
            writer.write(table)
        return plan.output


class _Reporter:
    """Tells of each run in a line, with the time left."""

    def __init__(self, total: int, jobs: int, tell: Tell) -> None:
        self._total, self._jobs, self._tell = total, jobs, tell
        self._began = time.monotonic()
        self._seen = self._skipped = 0
        self.done = 0

    def skip(self, count: int) -> None:
        """Runs that are there."""
        self._seen += count
        self._skipped += count
        if count:
            self._tell(f"{self._skipped} of {self._total} runs are there already")

    def run(self, run: Run, found: Mapping[str, Any], metric: str) -> None:
        """A run that is done."""
        self._seen += 1
        self.done += 1
        left = (self._total - self._seen) * (time.monotonic() - self._began) / self.done
        about = found["run"]
        scored = found.get("failed") or f"{metric} {about['scores'][metric]:.1f} on {run.split}"
        self._tell(
            f"{self._seen}/{self._total} {run.name} ({options_words(run.options)}): {scored}; "
            f"{about['seconds']:.0f} s, {left / 60:.0f} min left"
        )


def _all(runs: Iterable[Run], files: _Files, jobs: int, reporter: _Reporter) -> Found:
    """What all runs gave, those that were done before included, in their order."""
    output, metric = files.output, files.config.metric
    known = {run.name: (run, finished(run, output)) for run in runs}
    waiting = [run for run, found in known.values() if found is None]
    reporter.skip(len(known) - len(waiting))
    try:
        with closing(perform_all(waiting, output, files.data, jobs)) as performed:
            for run, found in performed:
                known[run.name] = run, found
                reporter.run(run, found, metric)
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted(f"stopped after {reporter.done} runs, which are kept; go on with the same command") from error
    return [(run, found) for run, found in known.values() if found is not None]


def _chosen(config: SweepConfig, found: Found) -> dict[Way, Values]:
    """The options of each way's best trial by validation; ways none of whose trials came to anything are left out.

    Raises:
        InputError: The baseline is one of them, so that there is nothing to compare with.
    """
    chosen: dict[Way, Values] = {}
    for way in config.ways:
        trials = [(run, each["run"]["scores"]) for run, each in found if run.way == way and "failed" not in each]
        if trials:
            run, _ = max(trials, key=lambda trial: trial[1][config.metric])
            chosen[way] = dict(run.options)
    first = config.ways[0]
    if first not in chosen:
        raise InputError(
            f"{first.name}, {first.loss}: no trial of the baseline came to a finite loss; lower --lr, or search other "
            "levels"
        )
    return chosen


@contextmanager
def _leaving_no_empty_sweep(output: Path) -> Iterator[None]:
    """Where the work inside fails before its first run is done, remove the folder if it is new."""
    is_new = not output.exists()
    try:
        yield
    except BaseException:
        if is_new and not any((output / "runs").glob("*/*.json")):
            remove_folder(output, ignore_errors=True)
        raise


def _refuse_other_folder(output: Path) -> None:
    """Refuse a folder that holds something else."""
    # A sweep that was killed, or refused, before its first run has left no more than what its runs read.
    ours = ("runs", "shifts", _FREQUENCY, _SIZES, SUMMARY)
    if output.is_dir() and any(output.iterdir()) and not any((output / name).exists() for name in ours):
        raise InputError(f"{output}: holds files that are not of a sweep; choose another output folder")
