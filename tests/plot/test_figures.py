"""What each figure shows."""

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipelines.plot.band import draw_band
from pipelines.plot.style import THIRD_STYLES
from pipelines.plot.tail import draw_tail
from pipelines.scores.thirds import THIRDS
from pipelines.views.band import plan_band
from pipelines.views.tail import read_tail


@pytest.fixture
def figure() -> Figure:
    mpl.use("Agg")
    return Figure(figsize=(6.7, 3))


def test_the_long_tail_has_an_area_for_each_third_and_the_shifts(world, figure) -> None:
    tail = read_tail(world.clusters, world.shifts)
    draw_tail(figure, tail)
    sizes, shifts = figure.axes
    colors = {to_hex(patch.get_facecolor()) for patch in sizes.patches}
    assert colors == {THIRD_STYLES[THIRDS[third]]["color"] for third in set(tail.third_k)}
    assert len(colors) > 1
    assert shifts.lines[0].get_ydata().tolist() == tail.shifts.mean_k.tolist()


def test_the_band_has_a_line_for_each_third(world, figure) -> None:
    band = plan_band(world.shifts, steps=100, alpha=0.04)
    draw_band(figure, band)
    lines = {line.get_color(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {THIRD_STYLES[line.name]["color"]: line.mean for line in band.lines[1:]}
