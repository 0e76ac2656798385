"""Shifts: the shift of each cluster size under each rule, and how many samples end up where."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.plot.style import COLORS, LINES, is_narrow, legend_above, set_height, show_counts
from pipelines.views.shifts import RuleShifts, ShiftRules


def draw_shifts(figure: Figure, shifts: ShiftRules) -> None:
    """Draw shift over cluster size for each rule, and a histogram of the training samples for each."""
    names = list(shifts.rules)
    narrow = is_narrow(figure)
    set_height(figure, 1.5 if narrow else 0.5)
    mosaic: list[Any] = [["sizes"], *([name] for name in names)] if narrow else [["sizes", name] for name in names]
    panels = figure.subplot_mosaic(mosaic, height_ratios=(2, 1, 1, 1) if narrow else None)
    sizes = panels["sizes"]
    marker = "." if len(shifts.size_u) < 50 else None
    lines = {}
    for number, (name, rule) in enumerate(shifts.rules.items()):
        style: dict[str, Any] = {"color": COLORS[number], "linestyle": LINES[number], "marker": marker}
        (lines[name],) = sizes.plot(shifts.size_u, rule.shift_u, **style)
        _draw_histogram(panels[name], shifts, name, COLORS[number])
    sizes.set_xscale("log")
    show_counts(sizes.xaxis, log=True)
    sizes.set(xlabel="training samples in the cluster", ylabel=_shift_label(shifts))
    for name in names[:-1]:
        panels[name].sharex(panels[names[-1]])
        panels[name].tick_params(labelbottom=False)
    panels[names[-1]].set_xlabel(_shift_label(shifts))
    panels[names[len(names) // 2]].set_ylabel("training samples (%)")
    legend_above(figure, lines)


def _draw_histogram(axes: Axes, shifts: ShiftRules, name: str, color: str) -> None:
    rule = shifts.rules[name]
    share_b = 100 * rule.samples_b / rule.samples_b.sum()
    axes.stairs(share_b, shifts.edges, fill=True, color=color)
    axes.set_ylim(0, 100)
    axes.set_title(f"{name}: {_lowest_tenth(rule)}")


def _lowest_tenth(rule: RuleShifts) -> str:
    """How much the rule leaves at the bottom of the range, in words."""
    clusters, samples = (100 * count_b[0] / count_b.sum() for count_b in (rule.clusters_b, rule.samples_b))
    return f"{clusters:.0f}% of clusters, {samples:.0f}% of samples in the lowest tenth"


def _shift_label(shifts: ShiftRules) -> str:
    return "shift (share of the range)" if (shifts.edges[0], shifts.edges[-1]) == (0, 1) else "shift"
