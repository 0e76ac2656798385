"""Entry points of ``advise``, and of ``cluster --sweep``, which keeps the clusterings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack

from pipelines.advise.classes import find_classes
from pipelines.advise.clusterings import Clusterings
from pipelines.advise.settings import Settings
from pipelines.advise.study import SCHEMA, Tell, study, table
from pipelines.artifacts import StagePlan, largest_and_smallest
from pipelines.artifacts.opening import parquet_files
from pipelines.artifacts.writers import one_writer, removing_new_folders
from pipelines.cluster.methods import METHODS
from pipelines.cluster.subject import Subject, What, subject_of
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.remote import as_path, located

_LABELS = 3
_KS_NAMED = 10


def _nobody(text: str) -> None:
    """Take a line in silence."""


@one_writer
def advise(
    source: Path | str,
    output: Path | str | None = None,
    *,
    settings: Settings | None = None,
    force: bool = False,
    progress: Progress = SILENT,
    tell: Tell = _nobody,
    **what: Unpack[What],
) -> dict[str, Any]:
    """Find out which k-means, and the mean of how many, gives shifts that another run would give too.

    Args:
        source: Embeddings file; for ``by="media"`` a features file.
        output: Parquet file for the table, a row for each k and number of clusterings averaged; None for none.
        settings: What is tried; the defaults if None.
        force: Do the work even if the output is up to date.
        progress: Where to report.
        tell: Takes a line that says what is going to be done.
        **what: ``by``, ``annotations``, ``media``, ``media_weight`` and ``fit_split``, as for
            `pipelines.cluster.cluster`; with annotations clusters of the recommended k are labelled.

    Returns:
        ``source``, ``output``, ``up_to_date``, ``rows`` (fitted samples), ``k``, ``seeds``, ``rule``,
        ``silhouette_sample``;
        ``clusterings``, one a k, with ``adjusted_rand``, ``gini`` and ``silhouette``; ``shifts``, one a k and number
        averaged, see `pipelines.advise.stability.Agreement`; ``candidates``, one a k, and ``advice``, the one that is
        recommended, see `pipelines.advise.choice.Candidate`; ``wanted`` and ``most``, what a candidate aims at.
        Figures are ``{"value", "low", "high"}``: the mean, and the smallest and largest over seeds or pairs.
        ``classes``: null, or the ``annotations`` beside the source that it was made from, and their class ``columns``.
        With annotations ``labels``, as `largest_and_smallest` has them, of one clustering with the recommended k.

    Raises:
        InputError: The source can't be used, or the output can't be written.
    """
    settings = settings or Settings()
    subject = _subject(source, what)
    scratch = parquet_files(subject.source)[0].parent if output is None else as_path(output).parent
    runs = Clusterings(subject, _values({}), what.get("fit_split"), scratch)
    if output is None:
        if force:
            raise InputError("--force: is for the file that --output names; leave it out")
        return _result(None, runs, _labelled(runs, study(runs, settings, progress, tell)))
    plan = _plan(runs, settings, located(output), subject.annotations)
    if done := plan.finished(force=force):
        return _result(plan.output, runs, done.summary, up_to_date=True)
    return _result(plan.output, runs, _write(plan, _labelled(runs, study(runs, settings, progress, tell))))


@one_writer
def cluster_sweep(
    source: Path | str,
    output: Path | str,
    *,
    settings: Settings,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: Progress = SILENT,
    tell: Tell = _nobody,
    **what: Unpack[What],
) -> dict[str, Any]:
    """Cluster the same samples with several k and seeds, and compare the clusterings.

    Args:
        source: As for `pipelines.cluster.cluster`.
        output: Folder to write: for each k and seed the file ``kK-seedS.parquet``, the same as `cluster` writes alone,
            with its labels where there are annotations; and the table of `advise`, named by its k, such as
            ``advice-k50-100.parquet``, so that sweeps over other k can share the folder.
        settings: What is tried; ``ks`` has to be given.
        options: Other options of ``kmeans``, by name; None is the default of each.
        force: Make files again that are up to date.
        progress: Where to report.
        tell: Takes a line that says what is going to be done.
        **what: As for `advise`.

    Returns:
        As `advise`; ``output`` is the folder.

    Raises:
        InputError: An input or option can't be used, or an output can't be written.
    """
    folder, given = located(output), dict(options or {})
    for name in ("k", "seed"):
        if given.pop(name, None) is not None:
            raise InputError(f"--{name}: a sweep has its own; leave it out")
    if folder.is_file() or folder.suffix == ".parquet":
        raise InputError(f"{folder}: a sweep writes a folder with a file for each k and seed; name a folder")
    subject = _subject(source, what)
    runs = Clusterings(subject, _values(given), what.get("fit_split"), folder, folder, force)
    with removing_new_folders(folder):
        plan = _plan(runs, settings, folder / _table_name(settings.ks or ()))
        done = plan.finished(force=force)
        up_to_date = done is not None and runs.up_to_date(folder, done.summary["k"], settings.seeds)
        found = done.summary if done and up_to_date else _write(plan, study(runs, settings, progress, tell))
        runs.label(folder, found["k"], settings.seeds)
        return _result(folder, runs, found, up_to_date=up_to_date)


def _table_name(ks: Sequence[int]) -> str:
    """``advice-k50-100.parquet``; of many k the first and the last."""
    ks = sorted(set(ks))
    named = "-".join(map(str, ks)) if len(ks) <= _KS_NAMED else f"{ks[0]}-to-{ks[-1]}"
    return f"advice-k{named}.parquet"


def _labelled(runs: Clusterings, found: dict[str, Any]) -> dict[str, Any]:
    """What was found, with the labels of the recommended k where there are annotations."""
    labels = runs.labels(found["advice"]["k"])
    return found if labels is None else {**found, "labels": largest_and_smallest(labels, _LABELS)}


def _subject(source: Path | str, what: What) -> Subject:
    subject = subject_of(METHODS["kmeans"], source, what)
    if subject.annotations is not None:
        parquet_files(subject.annotations)  # before the work that its texts label
    return subject


def _values(options: dict[str, Any]) -> dict[str, Any]:
    """The options of k-means, of which each clustering has its own k and seed.

    Raises:
        InputError: One can't be used.
    """
    return METHODS["kmeans"].values({**options, "k": 2}, tuple(METHODS.values()))


def _plan(runs: Clusterings, settings: Settings, output: Path, annotations: Path | None = None) -> StagePlan:
    shared = {name: value for name, value in runs.values.items() if name not in ("k", "seed")}
    return StagePlan(
        "advise",
        output,
        {**asdict(settings), "fit_split": runs.fit_split, **runs.subject.parameters, **shared},
        runs.subject.inputs | ({} if annotations is None else {"annotations": annotations}),
        libraries=("scikit-learn", "numpy", "pyarrow"),
        foreign=("features",),
        results=2,  # 2: as of `kmeans`
    )


def _write(plan: StagePlan, found: dict[str, Any]) -> dict[str, Any]:
    with plan.writer(SCHEMA) as writer:
        writer.summary = found
        writer.write(table(found))
    return found


def _result(
    output: Path | None, runs: Clusterings, found: dict[str, Any], *, up_to_date: bool = False
) -> dict[str, Any]:
    return {
        "source": str(runs.subject.source),
        "output": None if output is None else str(output),
        "up_to_date": up_to_date,
        **found,
        "classes": find_classes(runs.subject),
    }
