"""Parts that the charts share: series, axes and numbers as Plotly's JSON has them, and scores in words."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.views.thirds import Score

COLORS = ("--blue", "--orange", "--green", "--pink", "--sky", "--red", "--grey")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
_FAINT = "30"  # of FF


def plain(values: NDArray[Any] | Iterable[float]) -> list[float | None]:
    """Numbers for JSON, to 6 digits; null for what is none."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]


def axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis with its title."""
    return {"title": {"text": title, "standoff": 8}, **options}


def log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with ticks at 1, 2, 5 and their multiples by ten; also where it spans less than one decade."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    shown = [tick for tick in ticks if low / 2 <= tick <= high * 2]
    words = [f"{tick:,g}" for tick in shown]
    return axis(title, type="log", tickmode="array", tickvals=shown, ticktext=words)


def line(name: str, x: Iterable[float], y: Iterable[float], color: str, **options: Any) -> dict[str, Any]:
    """A line."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": plain(x),
        "y": plain(y),
        "line": {"color": color, "width": 2, **options.pop("line", {})},
        **options,
    }


def ribbon(x: Iterable[float], low: Iterable[float], high: Iterable[float], color: str) -> list[dict[str, Any]]:
    """What lies between two lines, faintly."""
    edge = {"hoverinfo": "skip", "showlegend": False}
    lower = line("", x, low, color, line={"width": 0}, **edge)
    upper = line("", x, high, color, line={"width": 0}, fill="tonexty", fillcolor=f"{color}@{_FAINT}", **edge)
    return [lower, upper]


def error_bars(scores: Sequence[Score], **options: Any) -> dict[str, Any]:
    """The intervals of scores."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if each.high is None else each.high - each.value for each in scores],
        "arrayminus": [0 if each.low is None else each.value - each.low for each in scores],
        "thickness": 1.5,
        "width": 4,
        **options,
    }


def said(score: Score) -> str:
    """``21.6 (19.9 to 23.5)``."""
    return f"{score.value:.1f}" if score.low is None else f"{score.value:.1f} ({score.low:.1f} to {score.high:.1f})"
