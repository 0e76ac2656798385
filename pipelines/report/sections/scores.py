"""Scores by frequency: head, middle and tail, each with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report.figures import axis, error_bars, plain, said
from pipelines.report.page import Chart, Section, Table
from pipelines.views.thirds import GROUPS, Score, ThirdScores

DIRECTIONS = {"text_to_media": "text to media", "media_to_text": "media to text"}
_STYLES = {
    "overall": ("--ink", "circle"),
    "head": ("--head", "triangle-up"),
    "middle": ("--middle", "square"),
    "tail": ("--tail", "triangle-down"),
    "many": ("--head", "triangle-up"),
    "medium": ("--middle", "square"),
    "few": ("--tail", "triangle-down"),
    "tail_classes": ("--pink", "diamond"),
}


def scores_section(thirds: ThirdScores) -> Section:
    """Every score of each third, by direction."""
    charts = []
    for direction, direction_words in DIRECTIONS.items():
        found = {name: of[direction] for name, of in thirds.scores.items() if direction in of}
        if found:
            title = f"{direction_words.capitalize()} by third"
            charts.append(score_chart(f"scores-{direction}", title, found, GROUPS, "queries"))
    words = [f"Scores {thirds.name}. {head_against_tail(thirds)}"]
    return Section(id="scores", title="Scores by frequency", words=words, charts=charts)


def head_against_tail(thirds: ThirdScores) -> str:
    """Whether the tail is found less often than the head, as far as the intervals tell."""
    metric = next((name for name in ("recall@5", "recall@1") if name in thirds.scores), next(iter(thirds.scores)))
    by_direction = thirds.scores[metric]
    of = by_direction.get("mean") or next(iter(by_direction.values()))
    if not {"head", "tail"} <= of.keys():
        return f"{short(metric)} of all queries: {said(of['overall'])}; which are head and tail is not known."
    return compared(short(metric), of, ("head", "tail"), ("the head", "the tail", "is found"))


def compared(metric: str, of: Mapping[str, Score], names: tuple[str, str], words: tuple[str, str, str]) -> str:
    """Whether what is rare scores lower than what is frequent, as far as the intervals tell.

    Args:
        metric: The score, in words.
        of: Its values.
        names: Those of what is frequent and what is rare, among them.
        words: The same in a sentence, and what is done to them.
    """
    (frequent, rare), (one, other, done) = (of[name] for name in names), words
    numbers = f"{metric}: {names[0]} {said(frequent)}, {names[1]} {said(rare)}"
    if None in (frequent.low, frequent.high, rare.low, rare.high):
        return f"{numbers}; without intervals, which `mmts eval` adds."
    numbers = f"{numbers}, with 95% intervals."
    if _above(frequent, rare):
        return f"{other[0].upper()}{other[1:]} {done} less often than {one}. {numbers}"
    if _above(rare, frequent):
        return f"{other[0].upper()}{other[1:]} {done} more often than {one}. {numbers}"
    return f"No clear difference between {other} and {one}: their intervals overlap. {numbers}"


def short(metric: str) -> str:
    """``R@5`` for ``recall@5``."""
    return metric.replace("recall@", "R@").replace("_", " ")


def _name(group: str) -> str:
    return group.replace("_", " ")


def _above(one: Score, other: Score) -> bool:
    return one.low is not None and other.high is not None and one.low > other.high


def score_chart(
    id_: str, title: str, found: Mapping[str, Mapping[str, Score]], groups: Sequence[str], queries: str
) -> Chart:
    """The scores of groups of queries side by side, with their intervals.

    Args:
        id_: Name of the chart in the page.
        title: What it shows.
        found: ``found[metric][group]``; a group may be missing.
        groups: The groups, in order.
        queries: What the table calls its first column.
    """
    data: list[dict[str, Any]] = []
    shown = [name for name in groups if any(name in of for of in found.values())]
    for group in shown:
        color, symbol = _STYLES[group]
        scores = {name: of[group] for name, of in found.items() if group in of}
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": _name(group),
                "x": [short(name) for name in scores],
                "y": plain([score.value for score in scores.values()]),
                "error_y": error_bars(list(scores.values()), color=color),
                "marker": {"color": color, "symbol": symbol, "size": 9},
                "hovertemplate": "%{x} of " + _name(group) + ": %{y:.1f}<extra></extra>",
            }
        )
    layout = {
        "xaxis": axis("", type="category"),
        "yaxis": axis("%", rangemode="tozero"),
        "scattermode": "group",
        "scattergap": 0.5,
    }
    rows = [[_name(group), *(said(of[group]) if group in of else "" for of in found.values())] for group in shown]
    table = Table(f"{title}: % with 95% intervals", [queries, *map(short, found)], rows)
    first, of_first = next(iter(found.items()))
    parts = ", ".join(f"{_name(group)} {of_first[group].value:.1f}" for group in shown if group in of_first)
    message = f"{short(first)}: {parts}. Bars are 95% intervals."
    return Chart(id_, title, message, {"data": data, "layout": layout}, table)
