"""The report in short: what data, what run, what was found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from pipelines.artifacts import read_annotations
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.report.clusters import Clusters
from pipelines.report.sections.classes import few_against_many
from pipelines.report.sections.scores import head_against_tail
from pipelines.report.sections.training import best_epoch_said
from pipelines.report.sources import Sources
from pipelines.sweep.words import conclusion
from pipelines.views.classes import ClassScores
from pipelines.views.curves import Curves
from pipelines.views.frontier import Frontier
from pipelines.views.thirds import ThirdScores
from pipelines.words import counted


def summary_lines(
    sources: Sources,
    clusters: Clusters | None,
    curves: Curves | None,
    scores: ThirdScores | None,
    classes: ClassScores | None,
    sweep: tuple[dict[str, Any], Frontier | None] | None,
) -> list[str]:
    """A line about the data, the tail, the run, its scores, and what a sweep found."""
    lines = [] if sources.annotations is None else [_data(sources.annotations)]
    if clusters is not None:
        tail = clusters.tail
        kinds = f"{'' if tail.centers is None else 'neighborhoods of '}{tail.counted(tail.seen)}"
        largest, smallest = tail.size_k[0], tail.size_k[tail.seen - 1]
        lines.append(
            f"The tail: {kinds}, from {largest:,} training samples down to {smallest:,}; Gini {tail.gini:.2f}."
        )
    if sources.run is not None and curves is not None:
        lines.append(f"{_run(sources.run)} {best_epoch_said(curves)}".strip())
    if scores is not None:
        lines.append(head_against_tail(scores))
    if classes is not None:
        lines.append(few_against_many(classes))
    if sweep is not None:
        lines += [f"Sweep: {line}." for line in _found(sweep[0])]
    return lines


def _data(path: Path) -> str:
    table = read_annotations(path, texts=False)
    media = pc.count_distinct(table.column("media_id")).as_py()
    line = f"The data: {counted(table.num_rows, 'text')} of {media:,} media"
    if "split" in table.column_names:
        counts = {each["values"]: each["counts"] for each in table.column("split").value_counts().to_pylist()}
        line += f"; {', '.join(f'{count:,} {split}' for split, count in counts.items())}"
    return f"{line} ({path.name})."


def _run(run: Path) -> str:
    parameters = read_run_parameters(run)
    temperature, loss = parameters.get("temperature"), parameters.get("loss")
    epochs = counted(parameters.get("epochs", 0), "epoch")
    return f"The run in {run.resolve().name}/: --temperature {temperature} with --loss {loss}, {epochs}."


def _found(summary: dict[str, Any]) -> Iterator[str]:
    """What a reader may conclude, without how far it holds, which the section says."""
    for line in conclusion(summary):
        if line.startswith(("overall:", "head:", "tail:", "best by")):
            yield line
