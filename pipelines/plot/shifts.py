"""Shifts: the shift of each cluster size under each rule, and how many samples end up where."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.plot.style import COLORS, LINES, is_narrow, set_height, show_counts
from pipelines.views.shifts import ShiftRules

_FEW = 50  # sizes that can be told apart as points


def draw_shifts(figure: Figure, shifts: ShiftRules) -> None:
    """Draw shift over cluster size for each rule, and a histogram of the training samples for each."""
    names = list(shifts.rules)
    narrow = is_narrow(figure)
    set_height(figure, 1.5 if narrow else 0.5)
    mosaic: list[Any] = [["sizes"], *([name] for name in names)] if narrow else [["sizes", name] for name in names]
    panels = figure.subplot_mosaic(mosaic, height_ratios=(2, 1, 1, 1) if narrow else None)
    sizes = panels["sizes"]
    marker = "." if len(shifts.size_u) < _FEW else None
    label = "shift (share of the range)" if (shifts.edges[0], shifts.edges[-1]) == (0, 1) else "shift"
    for number, (name, rule) in enumerate(shifts.rules.items()):
        style: dict[str, Any] = {"color": COLORS[number], "linestyle": LINES[number], "marker": marker}
        sizes.plot(shifts.size_u, rule.shift_u, label=name, **style)
        _draw_histogram(panels[name], shifts, name, COLORS[number])
    sizes.set_xscale("log")
    show_counts(sizes.xaxis, log=(shifts.size_u[0], shifts.size_u[-1]))
    sizes.set(xlabel=f"training samples {'in the cluster' if shifts.centers is None else 'near'}", ylabel=label)
    sizes.legend(loc="upper left")
    for name in names[:-1]:
        panels[name].tick_params(labelbottom=False)
    panels[names[-1]].set_xlabel(label)
    panels[names[len(names) // 2]].set_ylabel(f"{shifts.centers or 'training samples'} (%)")


def _draw_histogram(axes: Axes, shifts: ShiftRules, name: str, color: str) -> None:
    rule = shifts.rules[name]
    share_b = 100 * rule.samples_b / rule.samples_b.sum()
    axes.stairs(share_b, shifts.edges, fill=True, color=color)
    axes.set_ylim(0, 190)  # room for the words above the highest bar there can be
    axes.set_yticks((0, 50, 100))
    axes.spines.left.set_bounds(0, 100)
    axes.set_title(name)
    clusters, samples = (100 * count_b[0] / count_b.sum() for count_b in (rule.clusters_b, rule.samples_b))
    words = f"lowest tenth: {clusters:.0f}% of clusters,\n{samples:.0f}% of training samples"
    if shifts.centers is not None:
        words = f"lowest tenth:\n{samples:.0f}% of {shifts.centers}"
    axes.text(0.99, 0.97, words, transform=axes.transAxes, ha="right", va="top")
