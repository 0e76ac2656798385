"""The trials of a sweep: head against tail recall, and the front."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.plot.style import HALO, is_narrow, legend_above, line_style, set_height
from pipelines.views.frontier import Frontier, TrialPoint
from pipelines.views.thirds import Score


def draw_frontier(figure: Figure, frontier: Frontier) -> None:
    """Draw each trial's tail recall over its head recall, the front as a line, with its intervals."""
    set_height(figure, 1.0 if is_narrow(figure) else 0.6)
    axes = figure.subplots()
    # Steps: what a point on the front is better than lies below it and to its left.
    corners = [[point.scores[name].value for point in reversed(frontier.front)] for name in ("head", "tail")]
    drawn = {}
    (drawn["front, 95% intervals"],) = axes.plot(*corners, drawstyle="steps-pre", color="black", zorder=3)
    for number, name in enumerate(dict.fromkeys(point.name for point in frontier.points)):
        style = {**line_style(number), "linestyle": ""}
        for point in sorted(frontier.points, key=lambda point: point.on_front):
            if point.name == name:
                _draw_point(axes, point, style)
        (drawn[name],) = axes.plot([], [], **style)
    marks = {"baseline": frontier.baseline}
    if frontier.picked is not None:
        marks[f"prefer {frontier.picked[0]}"] = frontier.picked[1]
    for words, point in marks.items():
        place = (point.scores["head"].value, point.scores["tail"].value)
        axes.plot(*place, "o", markersize=9, markerfacecolor="none", markeredgecolor="black", zorder=5)
        # Above and to the right of the front there is nothing to hide; apart, where both are one.
        side, offset = ("right", (-7, -12)) if words == "baseline" else ("left", (7, 7))
        axes.annotate(words, place, offset, textcoords="offset points", ha=side, zorder=6, bbox=HALO)
    axes.set(xlabel="head: mean of R@1, R@5, R@10 (%)", ylabel="tail: mean of R@1, R@5, R@10 (%)")
    legend_above(figure, drawn)


def _draw_point(axes: Axes, point: TrialPoint, style: Mapping[str, Any]) -> None:
    """A trial: one on the front with its intervals, others small and faint."""
    head, tail = point.scores["head"], point.scores["tail"]
    if not point.on_front:
        axes.plot(head.value, tail.value, alpha=0.5, zorder=2, **{**style, "markersize": 3})
        return
    axes.errorbar(
        *(head.value, tail.value, _bar(tail), _bar(head)), fmt="none", ecolor=style["color"], alpha=0.5, zorder=1
    )
    axes.plot(head.value, tail.value, zorder=4, **{**style, "markersize": 5})


def _bar(score: Score) -> list[list[float]]:
    """How far the interval reaches below and above the value."""
    return [
        [0.0 if score.low is None else score.value - score.low],
        [0.0 if score.high is None else score.high - score.value],
    ]
