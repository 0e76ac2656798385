"""Scores by frequency: head, middle and tail, each with its interval."""

from typing import Any

from pipelines.report.figures import axis, error_bars, plain, said
from pipelines.report.page import Chart, Section, Table
from pipelines.scores.queries import SEGMENTS
from pipelines.views.thirds import Score, ThirdScores

DIRECTIONS = {"text_to_media": "text to media", "media_to_text": "media to text"}
_STYLES = {
    "overall": ("--ink", "circle"),
    "head": ("--head", "triangle-up"),
    "middle": ("--middle", "square"),
    "tail": ("--tail", "triangle-down"),
}


def scores_section(thirds: ThirdScores) -> Section:
    """Every score of each third, by direction."""
    charts = [
        _chart(thirds, direction)
        for direction in DIRECTIONS
        if any(direction in each for each in thirds.scores.values())
    ]
    words = [f"Scores of {thirds.name}. {head_against_tail(thirds)}"]
    return Section(id="scores", title="Scores by frequency", words=words, charts=charts)


def head_against_tail(thirds: ThirdScores) -> str:
    """Whether the tail is found less often than the head, as far as the intervals tell."""
    metric = next((name for name in ("recall@5", "recall@1") if name in thirds.scores), next(iter(thirds.scores)))
    by_direction = thirds.scores[metric]
    of = by_direction.get("mean") or next(iter(by_direction.values()))
    if not {"head", "tail"} <= of.keys():
        return f"{short(metric)} of all queries: {said(of['overall'])}; which are head and tail is not known."
    head, tail = of["head"], of["tail"]
    name = short(metric)
    numbers = f"{name}: head {said(head)}, tail {said(tail)}, with 95% intervals."
    if None in (head.low, head.high, tail.low, tail.high):
        return f"{name}: head {said(head)}, tail {said(tail)}; without intervals, which `mmts eval` adds."
    if _above(head, tail):
        return f"The tail is found less often than the head. {numbers}"
    if _above(tail, head):
        return f"The tail is found more often than the head. {numbers}"
    return f"No clear difference between head and tail: their intervals overlap. {numbers}"


def short(metric: str) -> str:
    """``R@5`` for ``recall@5``."""
    return metric.replace("recall@", "R@").replace("_", " ")


def _above(one: Score, other: Score) -> bool:
    return one.low is not None and other.high is not None and one.low > other.high


def _chart(thirds: ThirdScores, direction: str) -> Chart:
    found = {name: of[direction] for name, of in thirds.scores.items() if direction in of}
    data: list[dict[str, Any]] = []
    segments = [name for name in SEGMENTS if any(name in of for of in found.values())]
    for segment in segments:
        color, symbol = _STYLES[segment]
        scores = {name: of[segment] for name, of in found.items() if segment in of}
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": segment,
                "x": [short(name) for name in scores],
                "y": plain([score.value for score in scores.values()]),
                "error_y": error_bars(list(scores.values()), color=color),
                "marker": {"color": color, "symbol": symbol, "size": 9},
                "hovertemplate": "%{x} of " + segment + ": %{y:.1f}<extra></extra>",
            }
        )
    layout = {
        "xaxis": axis("", type="category"),
        "yaxis": axis("%", rangemode="tozero"),
        "scattermode": "group",
        "scattergap": 0.5,
    }
    rows = [[segment, *(said(of[segment]) if segment in of else "" for of in found.values())] for segment in segments]
    title = f"{DIRECTIONS[direction].capitalize()} by third"
    table = Table(f"{title}: % with 95% intervals", ["queries", *map(short, found)], rows)
    shown = next(iter(found))
    parts = ", ".join(f"{segment} {found[shown][segment].value:.1f}" for segment in segments if segment in found[shown])
    return Chart(
        f"scores-{direction}",
        title,
        f"{short(shown)}: {parts}. Bars are 95% intervals.",
        {"data": data, "layout": layout},
        table,
    )
