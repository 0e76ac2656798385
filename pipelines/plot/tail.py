"""The long tail: cluster sizes, the largest first, and below them the shifts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.plot.style import THIRD_STYLES, is_narrow, legend_above, set_height, show_counts
from pipelines.scores.thirds import THIRDS
from pipelines.views.tail import ClusterShifts, Tail

_LINEAR = 20  # times the smallest cluster, up to which that can still be seen on a linear scale


def draw_tail(figure: Figure, tail: Tail) -> None:
    """Draw the size of each cluster, by third, and the shifts of its samples where they are known.

    Clusters without a training sample, which a logarithmic scale has no place for, are left out, and so are the
    neighborhoods of samples that aren't trained on.
    """
    seen = tail.seen
    height = 0.4 if tail.shifts is None else 0.6
    set_height(figure, height + 0.4 if is_narrow(figure) else height)
    if tail.shifts is None:
        sizes = lowest = figure.subplots()
    else:
        sizes, lowest = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        _draw_shifts(lowest, tail.shifts, seen)
    edges = np.arange(seen + 1) + 0.5
    areas = {}
    for third in reversed(range(len(THIRDS))):
        rows = np.flatnonzero(tail.third_k[:seen] == third)
        if len(rows):
            words = f"{THIRDS[third]}: {tail.counted(len(rows))}"
            color = THIRD_STYLES[THIRDS[third]]["color"]
            bins = edges[rows[0] : rows[-1] + 2]
            areas[words] = sizes.stairs(tail.size_k[rows], bins, baseline=0, fill=True, color=color)
    log = tail.size_k[0] > _LINEAR * tail.size_k[seen - 1]
    if log:
        sizes.set_yscale("log")
        sizes.set_ylim(bottom=tail.size_k[seen - 1] / 1.5)
    show_counts(sizes.yaxis, log=(tail.size_k[seen - 1], tail.size_k[0]) if log else None)
    sizes.set_ylabel("training samples" if tail.centers is None else "training samples near")
    unseen = len(tail) - seen
    what, without = "clusters, largest first", "without training samples"
    if tail.centers is not None:
        what, without = f"{tail.centers}, largest neighborhood first", "samples that aren't trained on"
    rest = f"\n{unseen:,} {without} left out" if unseen else ""
    lowest.set_xlabel(f"{what} (Gini coefficient {tail.gini:.2f}){rest}")
    lowest.set_xlim(0.5, seen + 0.5)
    show_counts(lowest.xaxis)
    legend_above(figure, areas)


def _draw_shifts(axes: Axes, shifts: ClusterShifts, seen: int) -> None:
    place = np.arange(1, seen + 1)
    axes.vlines(place, shifts.minimum_k[:seen], shifts.maximum_k[:seen], color="#999999", linewidth=0.6)
    axes.plot(place, shifts.mean_k[:seen], ".", color="black", markersize=3)
    varies = bool((shifts.minimum_k < shifts.maximum_k).any())
    axes.set_ylabel("shift (mean, range)" if varies else "shift")
