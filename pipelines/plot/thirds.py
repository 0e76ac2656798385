"""Scores of head, middle and tail, or of many, medium and few, with their intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from pipelines.artifacts import first_few
from pipelines.errors import InputError
from pipelines.plot.style import is_narrow, legend_above, line_style, set_height
from pipelines.scores.queries import SEGMENTS, TAIL_CLASSES
from pipelines.views.classes import GROUPS as CLASS_GROUPS
from pipelines.views.classes import ClassScores
from pipelines.views.thirds import Score, ThirdScores


def draw_thirds(figure: Figure, scored: Sequence[ThirdScores | ClassScores]) -> None:
    """Draw each metric as points with 95% intervals, several runs side by side; of retrieval, the mean of directions.

    Raises:
        InputError: Some are of retrieval and others of a classification, or they have no metric in common.
    """
    _refuse_mixed(scored)
    of_run = [_by_metric(each) for each in scored]
    order: list[str] = [*(CLASS_GROUPS if isinstance(scored[0], ClassScores) else SEGMENTS)]
    if any(TAIL_CLASSES in of for each in of_run for of in each.values()):
        order.append(TAIL_CLASSES)
    metrics = [name for name in of_run[0] if all(name in each for each in of_run)]
    if not metrics:
        raise InputError(f"{', '.join(each.name for each in scored)}: have no score in common; score them alike")
    narrow = is_narrow(figure)
    set_height(figure, 0.55 * len(metrics) if narrow else 0.4)
    panels = figure.subplots(len(metrics) if narrow else 1, 1 if narrow else len(metrics), squeeze=False).flat
    bars = {}
    for axes, metric in zip(panels, metrics, strict=True):
        for number, each in enumerate(scored):
            scores = of_run[number][metric]
            shift = 0.0 if len(scored) == 1 else 0.5 * (number / (len(scored) - 1) - 0.5)
            places = [order.index(segment) + shift for segment in scores]
            values = [score.value for score in scores.values()]
            below = [0.0 if score.low is None else score.value - score.low for score in scores.values()]
            above = [0.0 if score.high is None else score.high - score.value for score in scores.values()]
            style = {**line_style(number), "linestyle": ""}
            bars[each.name] = axes.errorbar(places, values, (below, above), elinewidth=0.8, capsize=2, **style)
        axes.set_xticks(range(len(order)), [name.replace("_", "\n") for name in order])
        axes.set_xlim(-0.5, len(order) - 0.5)
        axes.set_ylabel(f"{metric.replace('recall', 'R').replace('_', ' ')} (%)")
    if len(scored) > 1:
        legend_above(figure, bars)


def _refuse_mixed(scored: Sequence[ThirdScores | ClassScores]) -> None:
    of_classes = [each.name for each in scored if isinstance(each, ClassScores)]
    others = [each.name for each in scored if not isinstance(each, ClassScores)]
    if of_classes and others:
        raise InputError(
            f"{first_few(of_classes)}: of classification, but {first_few(others)}: of retrieval; draw a figure of each"
        )


def _by_metric(scored: ThirdScores | ClassScores) -> Mapping[str, Mapping[str, Score]]:
    if isinstance(scored, ClassScores):
        return scored.scores
    return {metric: of["mean"] for metric, of in scored.scores.items() if "mean" in of}
