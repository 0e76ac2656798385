"""The band: temperatures, or margins, of head, middle and tail over the steps of a run."""

from matplotlib.figure import Figure

from pipelines.plot.style import THIRD_STYLES, is_narrow, legend_above, set_height, show_counts
from pipelines.views.band import Band


def draw_band(figure: Figure, band: Band) -> None:
    """Draw the mean of each third as a line, and its lowest and highest value as a band."""
    set_height(figure, 0.8 if is_narrow(figure) else 0.45)
    axes = figure.subplots()
    lines = {}
    for line in reversed(band.lines):
        if line.cluster_sizes is None:
            continue
        low, high = line.cluster_sizes
        sizes = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
        marker = "o" if len(line.steps) == 1 else None
        style = THIRD_STYLES[line.name]
        axes.fill_between(line.steps, line.minimum, line.maximum, color=style["color"], alpha=0.2, linewidth=0)
        name = f"{line.name}: {sizes} samples alike"
        (lines[name],) = axes.plot(line.steps, line.mean, marker=marker, **style)
    axes.set(xlabel=f"step\nthirds of {band.thirds_of}", ylabel=f"{band.quantity} (mean, range)")
    axes.set_ylim(0, band.highest * 1.05)
    show_counts(axes.xaxis)
    legend_above(figure, lines)
