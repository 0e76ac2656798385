"""The picture of a sweep's trials: head against tail recall, and the front."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.report.pictures import new_figure, require_picture, save_figure

# Of Okabe and Ito (2008), told apart by colour-blind readers too; without black, and yellow, which is faint on white.
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#882255")
_MARKERS = ("o", "s", "^", "D", "v")


def picture_frontier(found: Mapping[str, Any], output: Path | str) -> Path:
    """Draw each trial's tail recall over its head recall, the front as a line, with intervals.

    Args:
        found: What `frontier` returns.
        output: Picture to write; its suffix (.png, .svg, .pdf) says the format.

    Raises:
        InputError: The picture can't be written.
    """
    output = Path(output)
    require_picture(output)
    points = {point["run"]: point for point in found["points"]}
    front = [points[run]["scores"] for run in found["front"]]
    figure, axis = new_figure(f"{len(points)} trials on {found['split']}, head against tail")
    # Steps: what a point on the front is better than lies below it and to its left.
    corners = [[score[name]["value"] for score in reversed(front)] for name in ("head", "tail")]
    axis.plot(*corners, drawstyle="steps-pre", color="black", linewidth=1.2, zorder=3, label="front, 95% intervals")
    for number, name in enumerate(dict.fromkeys(point["name"] for point in points.values())):
        style = {"color": _COLORS[number % len(_COLORS)], "marker": _MARKERS[number % len(_MARKERS)]}
        of_name = [point for point in points.values() if point["name"] == name]
        for on_front in (False, True):
            for point in of_name:
                if point["on_front"] == on_front:
                    _draw(axis, point["scores"], style, on_front=on_front)
        axis.plot([], [], linestyle="", label=name, **style)
    marks = {"baseline": found["baseline"]}
    if found["picked"] is not None:
        marks[f"prefer {found['picked']['prefer']}"] = found["picked"]["run"]
    for words, run in marks.items():
        head, tail = (points[run]["scores"][name]["value"] for name in ("head", "tail"))
        axis.plot(head, tail, "o", markersize=13, markerfacecolor="none", markeredgecolor="black", zorder=5)
        offset = (9, 9) if words == "baseline" else (9, -16)  # apart, where both are one trial
        axis.annotate(words, (head, tail), offset, textcoords="offset points", zorder=6)
    axis.set(xlabel="head: mean of R@1, R@5, R@10 (%)", ylabel="tail: mean of R@1, R@5, R@10 (%)")
    figure.legend(loc="outside right upper", frameon=False)
    return save_figure(figure, output)


def _draw(axis: Any, scores: Mapping[str, Any], style: Mapping[str, Any], *, on_front: bool) -> None:
    """A trial: one on the front with its intervals, others small and faint."""
    head, tail = scores["head"], scores["tail"]
    if not on_front:
        axis.plot(head["value"], tail["value"], markersize=4, alpha=0.5, zorder=2, **style)
        return
    bars = [[[each["value"] - each["low"]], [each["high"] - each["value"]]] for each in (head, tail)]
    axis.errorbar(
        head["value"], tail["value"], *reversed(bars), fmt="none", ecolor=style["color"], alpha=0.45, zorder=1
    )
    axis.plot(head["value"], tail["value"], markersize=7, zorder=4, **style)
