"""The figure of any view, as notebooks show it."""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from pipelines.plot.band import draw_band
from pipelines.plot.curves import draw_curves
from pipelines.plot.frontier import draw_frontier
from pipelines.plot.shifts import draw_shifts
from pipelines.plot.style import png
from pipelines.plot.tail import draw_tail
from pipelines.plot.thirds import draw_thirds
from pipelines.views.band import Band
from pipelines.views.classes import ClassScores
from pipelines.views.curves import Curves
from pipelines.views.frontier import Frontier
from pipelines.views.pictured import Pictured
from pipelines.views.shifts import ShiftRules
from pipelines.views.tail import Tail
from pipelines.views.thirds import ThirdScores

_DRAW: dict[type[Pictured], Callable[[Figure, Any], None]] = {
    Band: draw_band,
    ClassScores: lambda figure, scored: draw_thirds(figure, [scored]),
    Curves: lambda figure, run: draw_curves(figure, [run]),
    Frontier: draw_frontier,
    ShiftRules: draw_shifts,
    Tail: draw_tail,
    ThirdScores: lambda figure, scored: draw_thirds(figure, [scored]),
}


def png_of(view: Pictured) -> bytes:
    """The figure of a view as a PNG file."""
    return png(lambda figure: _DRAW[type(view)](figure, view))
