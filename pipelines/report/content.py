"""What a report says, section by section; what can't be shown is left out with the reason and the remedy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pipelines.artifacts import read_labels, shortened
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.errors import InputError
from pipelines.progress import Progress
from pipelines.report.clusters import Clusters, read_cluster_rows
from pipelines.report.page import Section
from pipelines.report.sections.classes import classes_section
from pipelines.report.sections.clusters import clusters_section
from pipelines.report.sections.made import made_section
from pipelines.report.sections.map import map_section
from pipelines.report.sections.scores import scores_section
from pipelines.report.sections.sweep import sweep_section
from pipelines.report.sections.tail import tail_section
from pipelines.report.sections.training import training_section
from pipelines.report.sections.worst import shown_queries, worst_section
from pipelines.report.sources import Sources
from pipelines.report.summary import summary_lines
from pipelines.sweep import frontier, read_sweep
from pipelines.views.band import Band, band_of_run, plan_band
from pipelines.views.classes import ClassScores, read_class_scores
from pipelines.views.curves import Curves, read_curves
from pipelines.views.frontier import Frontier, frontier_of
from pipelines.views.map import Map, read_map
from pipelines.views.thirds import ThirdScores, read_scores, scores_of
from pipelines.views.thumbnails import make_thumbnails
from pipelines.views.worst import WorstQuery, read_worst

_T = TypeVar("_T")
_PLANNED_STEPS = 1000
_ROOM = 4 * 2**20  # bytes for thumbnails: with Plotly and 40,000 captions the page stays below 10 MB


@dataclass
class Content:
    """What a page says.

    Attributes:
        summary: What was found, in short.
        sections: The sections, in order.
        left_out: What isn't there and what would add it, a line each.
        pictures: Thumbnails as data URIs.
        map_samples: How many samples are on the map.
    """

    summary: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    map_samples: int = 0


def gather(sources: Sources, *, sample: int, seed: int, progress: Progress) -> Content:
    """See everything that the sources have.

    Args:
        sources: Files and folders.
        sample: Most samples on the map.
        seed: Seed of the map.
        progress: Where to report.
    """
    gathering = _Gathering(sources)
    with progress.task("looking", 3, "parts") as task:
        clusters = gathering.clusters()
        view = gathering.map(sample, seed, clustered=clusters is not None)
        task.advance(note="map")
        worst = gathering.worst()
        curves, band = gathering.curves(), gathering.band()
        scores, classes = gathering.scores(), gathering.classes()
        sweep = gathering.sweep()
        task.advance(note="scores")
        pictures = gathering.pictures(view, worst, seed)
        task.advance(note="pictures")
    content = gathering.content
    if clusters is not None:
        content.sections.append(tail_section(sources, clusters))
    if view is not None:
        content.sections.append(map_section(view, clusters, pictures))
        content.map_samples = len(view)
    if clusters is not None:
        content.sections.append(clusters_section(clusters))
    if curves is not None or band is not None:
        content.sections.append(training_section(curves, *(band or (None, ""))))
    if scores is not None:
        content.sections.append(scores_section(scores))
    if classes is not None:
        content.sections.append(classes_section(classes))
    if sweep is not None:
        content.sections.append(sweep_section(*sweep))
    if worst:
        content.sections.append(worst_section(worst, clusters, pictures))
    if content.sections:
        content.sections.append(made_section(sources))
        content.summary = summary_lines(sources, clusters, curves, scores, classes, sweep)
    return content


class _Gathering:
    """Reads each view, and notes why one isn't there."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.content = Content()

    def _try(self, what: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except InputError as error:
            self._leave_out(f"{what}: {error}")
            return None

    def _leave_out(self, line: str) -> None:
        self.content.left_out.append(line)

    def clusters(self) -> Clusters | None:
        sources = self.sources
        if sources.clusters is None:
            self._leave_out("Your tail: no clusters were found; `mmts cluster` makes them, --clusters names them")
            return None
        path = sources.clusters
        if sources.shifts is None:
            self._leave_out("Shifts: no shifts were found; `mmts shifts` makes them, --shifts names them")
        labels = read_labels(path)
        words = (
            {} if labels is None else {each["cluster"]: (each["words"], each["texts"]) for each in labels.to_pylist()}
        )
        found = self._try(
            "Your tail",
            lambda: read_cluster_rows(path, sources.shifts, sources.scores, words, sources.annotations),
        )
        if labels is None and (found is None or found.tail.centers is None):
            self._leave_out(f"Labels of clusters: `mmts cluster` with --annotations writes them beside {path.name}")
        return found

    def map(self, sample: int, seed: int, *, clustered: bool) -> Map | None:
        """The map, with clusters where they could be read, and with recall where there are scores."""
        sources = self.sources
        text, annotations = sources.text, sources.annotations
        for role, path in (("text", text), ("annotations", annotations)):
            if path is None:
                self._leave_out(f"The map: no {role} file was found; --{role} names it")
        if text is None or annotations is None:
            return None
        clusters = sources.clusters if clustered else None
        return self._try(
            "The map",
            lambda: read_map(text, annotations, clusters=clusters, scores=sources.scores, most=sample, seed=seed),
        )

    def worst(self) -> list[WorstQuery]:
        """The worst queries that the page shows."""
        scores, annotations, clusters = self.sources.scores, self.sources.annotations, self.sources.clusters
        if scores is None or annotations is None:
            return []
        found = self._try("Worst queries", lambda: read_worst(scores, annotations, clusters=clusters))
        return shown_queries(found or [])

    def pictures(self, view: Map | None, worst: list[WorstQuery], seed: int) -> dict[str, int]:
        """Numbers of the thumbnails by medium: of the worst queries, then of the map in an order drawn by chance."""
        annotations, media = self.sources.annotations, self.sources.media
        wanted = [each for query in worst for each in (query.media_id, *(found.media_id for found in query.found))]
        if view is not None:
            wanted += [view.media_ids[row] for row in np.random.default_rng(seed).permutation(len(view))]
        if annotations is None or not wanted:
            return {}
        made = self._try("Thumbnails", lambda: make_thumbnails(annotations, wanted, media=media, most_bytes=_ROOM))
        if made is None:
            return {}
        if made.left_out:
            self._leave_out(
                f"Thumbnails of {made.left_out:,} of {len(set(wanted)):,} media: the page has no room for them"
            )
        if made.lacking:
            media_id, reason = next(iter(made.lacking.items()))
            self._leave_out(f"Thumbnails of {len(made.lacking):,} media, the first {shortened(media_id)}: {reason}")
        self.content.pictures = list(made.uris.values())
        return {media_id: number for number, media_id in enumerate(made.uris)}

    def curves(self) -> Curves | None:
        run = self.sources.run
        if run is None:
            hint = (
                "`mmts sweep SWEEP --train` trains the best setting" if self.sources.sweep else "`mmts train` makes one"
            )
            self._leave_out(f"Training: no run was found; {hint}")
            return None
        return self._try("Training", lambda: read_curves(run))

    def band(self) -> tuple[Band, str] | None:
        """The temperatures of head, middle and tail: of the run, of the best ``mmts`` of the sweep, or as planned."""
        sources = self.sources
        if sources.run is not None:
            run = sources.run
            strategy = read_run_parameters(run).get("temperature")
            if strategy != "mmts":  # its curves show its temperatures; a plan would be another run's
                if sources.shifts is not None:
                    self._leave_out(
                        f"Temperatures of head and tail: {run.resolve().name} was trained with --temperature "
                        f"{strategy}; `mmts plan {sources.shifts}` says what they would be with mmts"
                    )
                return None
            band = self._try(
                "Temperatures of head and tail", lambda: band_of_run(run, sources.shifts, sources.annotations)
            )
            return None if band is None else (band, f'Of run "{run.resolve().name}"')
        if sources.shifts is None:
            return None
        shifts, settings, name = sources.shifts, dict[str, Any](), sources.shifts.name
        if sources.kind == "sweep" and sources.sweep is not None:
            candidates = read_sweep(sources.sweep)["candidates"]
            best = next((each for each in candidates if each["settings"].get("shifts", "").endswith(name)), None)
            if best is not None:
                settings = {each: best["settings"].get(each) for each in ("alpha", "oscillations")}
                settings["loss"], name = best["loss"], f"the best setting of {best['name']}"
        band = self._try(
            "Temperatures of head and tail",
            lambda: plan_band(shifts, steps=_PLANNED_STEPS, annotations=sources.annotations, **settings),
        )
        return None if band is None else (band, f"As planned for {name}, over {_PLANNED_STEPS:,} steps")

    def scores(self) -> ThirdScores | None:
        """The scores of retrieval, or those of the sweep's best setting."""
        scores, sweep = self.sources.scores, self.sources.sweep
        if scores is None and sweep is not None and (summary := self._try("Scores", lambda: read_sweep(sweep))):
            best = next(each for each in summary["candidates"] if each["name"] == summary["best"])
            return scores_of(f"of the sweep's best setting, {best['name']}", best["scores"])
        if scores is None:
            of = f"`mmts eval {self.sources.run}` adds" if self.sources.run else "`mmts eval` adds"
            what = "no scores" if self.sources.classes is None else "no scores of retrieval"
            self._leave_out(f"Scores by frequency, worst queries: {what} were found; {of} them, --scores names them")
            return None
        name = f'in "{scores.resolve().name}"'
        found = self._try("Scores by frequency", lambda: read_scores(scores, name=name))
        if found is not None and not found.scores:
            self._leave_out(f"Scores by frequency: {scores} has no scores but ranks")
            return None
        if found is not None and not found.has_thirds:
            self._leave_out(
                "Scores of head and tail: score again with --frequency, a column of classes or a clusters file"
            )
        return found

    def classes(self) -> ClassScores | None:
        """The scores of a classification; not every project has classes, so nothing is said where there are none."""
        folder = self.sources.classes
        if folder is None:
            return None
        name = f'in "{folder.resolve().name}"'
        return self._try("Classification", lambda: read_class_scores(folder, name=name))

    def sweep(self) -> tuple[dict[str, Any], Frontier | None] | None:
        folder = self.sources.sweep
        if folder is None:
            self._leave_out("Sweep: no sweep was found; `mmts sweep` tells which way of balancing helps")
            return None
        summary = self._try("Sweep", lambda: read_sweep(folder))
        if summary is None:
            return None
        return summary, self._try("Head against tail", lambda: frontier_of(frontier(folder)))
