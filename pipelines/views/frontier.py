"""The trials of a sweep: head against tail recall, and the Pareto front."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.views.pictured import Pictured
from pipelines.views.thirds import Score


@dataclass(frozen=True)
class TrialPoint:
    """One trial.

    Attributes:
        run: Its name in the sweep.
        name: Its strategy, with the loss where a sweep has several.
        options: The options that were tried.
        on_front: Whether it is on the front.
        scores: Mean of R@1, R@5, R@10 of both directions by ``overall``, ``head``, ``middle`` and ``tail``.
    """

    run: str
    name: str
    options: Mapping[str, Any]
    on_front: bool
    scores: Mapping[str, Score]


@dataclass(frozen=True, repr=False)
class Frontier(Pictured):
    """All trials of a sweep.

    Attributes:
        split: Split that they were scored on.
        points: The trials, in the order of the sweep.
        front: Those on the front, from head to tail.
        baseline: The best trial of the baseline.
        picked: The trial that was picked, and what for (``head``, ``balanced``, ``tail``, ``overall``); None where none
            was.
    """

    split: str
    points: list[TrialPoint]
    front: list[TrialPoint]
    baseline: TrialPoint
    picked: tuple[str, TrialPoint] | None


def frontier_of(found: Mapping[str, Any]) -> Frontier:
    """See what `pipelines.sweep.frontier` returns."""
    points = {
        point["run"]: TrialPoint(
            point["run"],
            point["name"],
            point["options"],
            point["on_front"],
            {segment: Score.of(score) for segment, score in point["scores"].items()},
        )
        for point in found["points"]
    }
    picked = found["picked"]
    return Frontier(
        found["split"],
        list(points.values()),
        [points[run] for run in found["front"]],
        points[found["baseline"]],
        None if picked is None else (picked["prefer"], points[picked["run"]]),
    )
