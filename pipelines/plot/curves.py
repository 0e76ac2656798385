"""Training curves of one or several runs."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.plot.style import is_narrow, legend_above, line_style, set_height, show_counts
from pipelines.views.curves import Curves

_COMMON_METRIC = "recall_sum"  # every validation has it


def draw_curves(figure: Figure, runs: Sequence[Curves]) -> None:
    """Draw loss, validation score, temperature (or margin) and learning rate over the steps.

    The best epoch of each run has a ring. Without any validation that panel is left out.
    """
    names = ["loss", "validation", "temperature", "rate"]
    if not any(len(run.epoch_v) for run in runs):
        names.remove("validation")
    narrow = is_narrow(figure) or len(names) == 1
    rows: list[Any] = [[name] for name in names] if narrow else [names[:2], [*names[2:], names[-1]][:2]]
    set_height(figure, 0.45 * len(names) if narrow else 0.6)
    panels = figure.subplot_mosaic(rows)
    metrics = {run.metric for run in runs if run.metric is not None}
    metric = metrics.pop() if len(metrics) == 1 else _COMMON_METRIC
    lines = {}
    for number, run in enumerate(runs):
        lines[run.name] = _draw_run(panels, run, metric, line_style(number))
    panels["loss"].set_title("loss")
    panels["temperature"].set_title(f"{' or '.join(sorted({run.quantity for run in runs}))} (mean, range)")
    panels["temperature"].set_ylim(0, 1.05 * max(run.temperature_max_p.max() for run in runs))
    panels["rate"].set_title("learning rate")
    if "validation" in panels:
        panels["validation"].set_title(f"validation {metric.replace('_', ' ')} (ring: best epoch)")
    for axes in panels.values():
        axes.set_xlabel("step")
        show_counts(axes.xaxis)
    if len(runs) > 1:
        legend_above(figure, lines)


def _draw_run(panels: dict[str, Axes], run: Curves, metric: str, style: dict[str, Any]) -> Line2D:
    line = {**style, "marker": "o" if run.steps == 1 else None}
    (named,) = panels["loss"].plot(run.step_p, run.loss_p, **line)
    panels["loss"].fill_between(
        run.step_p, run.loss_min_p, run.loss_max_p, color=style["color"], alpha=0.2, linewidth=0
    )
    panels["temperature"].plot(run.step_p, run.temperature_mean_p, **line)
    panels["temperature"].fill_between(
        run.step_p, run.temperature_min_p, run.temperature_max_p, color=style["color"], alpha=0.2, linewidth=0
    )
    panels["rate"].plot(run.step_p, run.learning_rate_p, **line)
    if metric in run.scores:
        score_v = run.scores[metric]
        panels["validation"].plot(run.step_v, score_v, **style)
        best = run.epoch_v == run.best_epoch
        panels["validation"].plot(
            *(run.step_v[best], score_v[best], "o"),
            **{"markersize": 9, "markerfacecolor": "none", "markeredgecolor": style["color"], "clip_on": False},
        )
    return named
