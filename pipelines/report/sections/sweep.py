"""Sweep: which way of balancing helps, whom, and what it costs on the other side."""

from collections.abc import Mapping
from typing import Any

from pipelines.report.figures import COLORS, SYMBOLS, axis, error_bars, plain, said
from pipelines.report.page import Chart, Section, Table
from pipelines.scores.queries import SEGMENTS
from pipelines.sweep.settings import options_words
from pipelines.sweep.words import conclusion
from pipelines.views.frontier import Frontier, TrialPoint
from pipelines.views.thirds import Score

_MEAN = "mean of R@1, R@5 and R@10 of both directions"


def sweep_section(summary: dict[str, Any], frontier: Frontier | None) -> Section:
    """The verdicts and scores of a sweep, and its front.

    Args:
        summary: What ``sweep.json`` holds.
        frontier: Its trials; None where its queries have no head and tail.
    """
    charts = [] if frontier is None else [_front(frontier)]
    return Section(
        id="sweep",
        title="Sweep",
        words=[f"{each[0].upper()}{each[1:]}." for each in conclusion(summary)],
        charts=charts,
        tables=[_verdicts(summary), _scores(summary), _settings(summary)],
    )


def _segments(summary: Mapping[str, Any]) -> list[str]:
    return [name for name in SEGMENTS if "mean" in summary["candidates"][0]["scores"].get(name, {})]


def _verdicts(summary: Mapping[str, Any]) -> Table:
    segments = _segments(summary)
    rows = []
    for candidate in summary["candidates"]:
        if "differences" in candidate:
            found = [candidate["differences"][name]["mean"]["mean_recall"] for name in segments]
            rows.append(
                [candidate["name"], *(f"{_signed(each)}\n{each['verdict'].partition(' (')[0]}" for each in found)]
            )
    caption = f"Against {summary['baseline']}, on {summary['test_split']}: difference in the {_MEAN}, in points"
    return Table(caption, ["strategy", *segments], rows)


def _scores(summary: Mapping[str, Any]) -> Table:
    segments = _segments(summary)
    rows = [
        [candidate["name"], *(said(Score.of(candidate["scores"][name]["mean"]["mean_recall"])) for name in segments)]
        for candidate in summary["candidates"]
    ]
    return Table(f"Scores on {summary['test_split']}: {_MEAN}, % with 95% intervals", ["strategy", *segments], rows)


def _settings(summary: Mapping[str, Any]) -> Table:
    rows = [
        [
            each["name"],
            options_words(each["options"]),
            f"{each['validation']['tests']:.1f}",
            "yes" if each["at_edge"] else "",
        ]
        for each in summary["candidates"]
    ]
    columns = [
        "strategy",
        "best setting",
        f"{summary['metric']} on {summary['val_split']}",
        "at the edge of what was tried",
    ]
    return Table("The best setting of each", columns, rows, words=columns[1:2])


def _signed(found: Mapping[str, Any]) -> str:
    interval = "" if found["low"] is None else f" ({found['low']:+.1f} to {found['high']:+.1f})"
    return f"{found['value']:+.1f}{interval}"


def _front(frontier: Frontier) -> Chart:
    names = list(dict.fromkeys(point.name for point in frontier.points))
    corners = [[point.scores[side].value for point in frontier.front] for side in ("head", "tail")]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "front",
            "x": plain(corners[0]),
            "y": plain(corners[1]),
            "line": {"color": "--ink", "width": 1.5, "shape": "vh"},
            "hoverinfo": "skip",
        }
    ]
    for number, name in enumerate(names):
        points = [point for point in frontier.points if point.name == name]
        color, symbol = COLORS[number % len(COLORS)], SYMBOLS[number % len(SYMBOLS)]
        data.append(_trials(name, [point for point in points if not point.on_front], color, symbol, on_front=False))
        data.append(_trials(name, [point for point in points if point.on_front], color, symbol, on_front=True))
    baseline = frontier.baseline.scores
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "baseline's best",
            "x": [baseline["head"].value],
            "y": [baseline["tail"].value],
            "hoverinfo": "skip",
            "marker": {"symbol": "circle-open", "size": 18, "color": "--ink", "line": {"width": 2}},
        }
    )
    layout = {"xaxis": axis("head (%)"), "yaxis": axis("tail (%)"), "hovermode": "closest"}
    message = (
        f"{len(frontier.points)} trials on {frontier.split}, {len(frontier.front)} of them on the front: no other has "
        f"as much of both head and tail. M{_MEAN[1:]}; bars are 95% intervals over queries. Each trial is one "
        "run, and the best of many looks better than it is."
    )
    rows = [
        [point.name, options_words(point.options), *(said(point.scores[side]) for side in ("head", "tail", "overall"))]
        for point in frontier.front
    ]
    table = Table(
        "On the front, from head to tail", ["strategy", "setting", "head", "tail", "overall"], rows, ["setting"]
    )
    return Chart("frontier", "Head against tail", message, {"data": data, "layout": layout}, table)


def _trials(name: str, points: list[TrialPoint], color: str, symbol: str, *, on_front: bool) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "legendgroup": name,
        "showlegend": not on_front,
        "x": plain([point.scores["head"].value for point in points]),
        "y": plain([point.scores["tail"].value for point in points]),
        "text": [options_words(point.options) for point in points],
        "hovertemplate": "%{fullData.name}<br>head %{x:.1f}, tail %{y:.1f}<br>%{text}<extra></extra>",
        "marker": {"color": color, "symbol": symbol, "size": 11 if on_front else 7, "opacity": 1 if on_front else 0.55},
    }
    if on_front:
        faint = {"color": color, "width": 0}
        trace["error_x"] = error_bars([point.scores["head"] for point in points], **faint)
        trace["error_y"] = error_bars([point.scores["tail"] for point in points], **faint)
    return trace
