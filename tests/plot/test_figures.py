"""What each figure shows."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipelines.cluster import cluster
from pipelines.errors import InputError
from pipelines.plot.band import draw_band
from pipelines.plot.curves import draw_curves
from pipelines.plot.shifts import draw_shifts
from pipelines.plot.style import COLORS, THIRD_STYLES
from pipelines.plot.tail import draw_tail
from pipelines.plot.thirds import draw_thirds
from pipelines.scores.thirds import THIRDS
from pipelines.views.band import plan_band
from pipelines.views.curves import Curves
from pipelines.views.shifts import RuleShifts, ShiftRules
from pipelines.views.tail import read_tail
from pipelines.views.thirds import Score, ThirdScores


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


def test_neighborhoods_are_counted_by_their_training_samples(world, figure, tmp_path) -> None:
    clusters = tmp_path / "knn.parquet"
    cluster(world.text, clusters, method="knn", neighbors=10)
    tail = read_tail(clusters, annotations=world.annotations)
    draw_tail(figure, tail)
    trained = len(world.samples("train"))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum(int(words.split()[1].replace(",", "")) for words in legend) == trained
    (axes,) = figure.axes
    assert axes.get_ylabel() == "training samples near"
    assert axes.get_xlabel().startswith("training samples, largest neighborhood first (Gini coefficient ")
    assert axes.get_xlabel().endswith(f"\n{len(tail) - trained} samples that aren't trained on left out")


def test_the_band_has_a_line_for_each_third(world, figure) -> None:
    band = plan_band(world.shifts, steps=100, alpha=0.04)
    draw_band(figure, band)
    lines = {line.get_color(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {THIRD_STYLES[line.name]["color"]: line.mean for line in band.lines[1:]}


def test_shifts_say_what_is_left_in_the_lowest_tenth(figure) -> None:
    rule = RuleShifts(np.array([0.0, 1.0]), np.array([30, 0, 70]), np.array([9, 0, 1]))
    draw_shifts(
        figure, ShiftRules(np.array([1, 70]), np.linspace(0, 1, 4), dict.fromkeys(("linear", "log", "rank"), rule))
    )
    sizes, *histograms = figure.axes
    assert [line.get_label() for line in sizes.lines] == ["linear", "log", "rank"]
    assert [line.get_ydata().tolist() for line in sizes.lines] == [[0, 1]] * 3
    assert len(histograms) == 3
    for axes in histograms:
        assert axes.patches[0].get_data().values.tolist() == [30, 0, 70]
        assert axes.texts[0].get_text() == "lowest tenth: 90% of clusters,\n30% of training samples"


@pytest.fixture
def curves() -> Curves:
    steps = np.arange(4.0)
    parts = {f"{name}_p": steps + 1 for name in ("loss", "loss_min", "loss_max", "learning_rate")}
    temperatures = {f"temperature_{name}_p": steps + 2 for name in ("min", "mean", "max")}
    scores = {"recall_sum": np.array([100.0, 300.0]), "tail_recall_sum": np.array([50.0, 40.0])}
    validations = {"epoch_v": np.array([1, 2]), "step_v": np.array([2.0, 4.0]), "scores": scores, "best_epoch": 1}
    about = {"name": "one", "quantity": "temperature", "steps": 4, "metric": "tail_recall_sum"}
    return Curves(step_p=steps, **parts, **temperatures, **validations, **about)


def test_curves_show_the_metric_that_chose_and_ring_the_best(figure, curves) -> None:
    draw_curves(figure, [curves])
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert set(panels) >= {"loss", "learning rate", "temperature (mean, range)"}
    line, ring = panels["validation tail recall sum (ring: best epoch)"].lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([2, 4], [50, 40])
    assert (ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ([2], [50])
    assert panels["loss"].lines[0].get_ydata().tolist() == [1, 2, 3, 4]


def test_runs_chosen_by_different_scores_show_one_that_all_have(figure, curves) -> None:
    draw_curves(figure, [curves, dataclasses.replace(curves, name="two", metric="recall_sum")])
    titles = [axes.get_title() for axes in figure.axes]
    assert "validation recall sum (ring: best epoch)" in titles
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]


def test_without_validation_that_panel_is_left_out(figure, curves) -> None:
    none = {"metric": None, "epoch_v": np.array([], int), "step_v": np.array([]), "scores": {}, "best_epoch": None}
    draw_curves(figure, [dataclasses.replace(curves, quantity="margin", **none)])
    assert [axes.get_title() for axes in figure.axes] == ["loss", "margin (mean, range)", "learning rate"]


def test_thirds_have_points_and_intervals(figure) -> None:
    scores = {"overall": Score(50.0, 45.0, 56.0), "tail": Score(30.0, None, None)}
    scored = [ThirdScores(name, {"recall@1": {"mean": scores}}) for name in ("a", "b")]
    draw_thirds(figure, scored)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "R@1 (%)"
    first, second = axes.containers
    assert [bar.lines[0].get_xdata().tolist() for bar in (first, second)] == [[-0.25, 2.75], [0.25, 3.25]]
    assert first.lines[0].get_ydata().tolist() == [50, 30]
    assert first.lines[0].get_color() == COLORS[0]
    ends = [segment[:, 1].tolist() for segment in first.lines[2][0].get_segments()]
    assert ends == [[45, 56], [30, 30]]


def test_scores_that_have_nothing_in_common_are_refused(figure) -> None:
    mean = {"mean": {"tail": Score(1.0, None, None)}}
    with pytest.raises(InputError, match="a, b: have no score in common; score them alike"):
        draw_thirds(figure, [ThirdScores("a", {"mAP": mean}), ThirdScores("b", {"recall@1": mean})])
