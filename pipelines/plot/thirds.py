"""Scores of head, middle and tail, with their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from pipelines.errors import InputError
from pipelines.plot.style import is_narrow, legend_above, line_style, set_height
from pipelines.views.thirds import ThirdScores

_ORDER = ("overall", "head", "middle", "tail")


def draw_thirds(figure: Figure, scored: Sequence[ThirdScores]) -> None:
    """Draw each metric, the mean of both directions, as points with 95% intervals, several runs side by side.

    Raises:
        InputError: The runs have no metric in common.
    """
    metrics = [name for name in scored[0].scores if all("mean" in each.scores.get(name, {}) for each in scored)]
    if not metrics:
        raise InputError(f"{', '.join(each.name for each in scored)}: have no score in common; score them alike")
    narrow = is_narrow(figure)
    set_height(figure, 0.55 * len(metrics) if narrow else 0.4)
    panels = figure.subplots(len(metrics) if narrow else 1, 1 if narrow else len(metrics), squeeze=False).flat
    bars = {}
    for axes, metric in zip(panels, metrics, strict=True):
        for number, each in enumerate(scored):
            scores = each.scores[metric]["mean"]
            shift = 0.0 if len(scored) == 1 else 0.5 * (number / (len(scored) - 1) - 0.5)
            places = [_ORDER.index(segment) + shift for segment in scores]
            values = [score.value for score in scores.values()]
            below = [0.0 if score.low is None else score.value - score.low for score in scores.values()]
            above = [0.0 if score.high is None else score.high - score.value for score in scores.values()]
            style = {**line_style(number), "linestyle": ""}
            bars[each.name] = axes.errorbar(places, values, (below, above), elinewidth=0.8, capsize=2, **style)
        axes.set_xticks(range(len(_ORDER)), _ORDER)
        axes.set_xlim(-0.5, len(_ORDER) - 0.5)
        axes.set_ylabel(f"{metric.replace('recall', 'R').replace('_', ' ')} (%)")
    if len(scored) > 1:
        legend_above(figure, bars)
