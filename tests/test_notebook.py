"""Runs, scores and sweeps as a notebook shows them, and views as their figures."""

import re

import pytest

from pipelines.errors import InputError
from pipelines.evaluate import evaluate, open_scores
from pipelines.notebook import open_run
from pipelines.plot.notebook import _DRAW
from pipelines.train import train
from pipelines.views.band import plan_band
from pipelines.views.curves import read_curves
from pipelines.views.pictured import Pictured
from pipelines.views.shifts import read_shift_rules
from pipelines.views.tail import read_tail
from pipelines.views.thirds import read_thirds

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def scored(world):
    """The folder of a run that has scores within and beside it, and another run's beside it."""
    folder = world.folder
    train(world.config("<run>"))
    evaluate(folder / "<run>" / "scores", run=folder / "<run>", frequency=world.clusters, resamples=10)
    evaluate(folder / "validation", run=folder / "<run>", split="val", resamples=0)
    train(world.config("other", seed=1))
    evaluate(folder / "others", run=folder / "other", resamples=0)
    return folder / "<run>"


def cells(html: str) -> list[str]:
    return re.findall(r"<t[dh] [^>]*>(.*?)</t[dh]>", html)


def test_a_run_opens_with_its_settings_curves_and_scores(scored, monkeypatch) -> None:
    run = open_run(scored)
    assert [each.output for each in run.scores] == [scored / "scores", scored.parent / "validation"]
    assert repr(run) == f"Run({scored}, scores: {scored / 'scores'}, {scored.parent / 'validation'})"
    changed = {"annotations", "output", "media", "text", "temperature", "tau", "epochs", "batch_size", "dimension"}
    assert set(run.settings) == {*changed, "lr", "warmup_epochs", "device"}
    html = run._repr_html_()
    assert '<img alt="Loss, validation, temperature and learning rate by step"' in html
    for expected in ("temperature", "fixed", "text to media", "tail"):
        assert expected in cells(html)
    assert "&lt;run&gt;" in html
    assert "<run>" not in html
    monkeypatch.chdir(scored)
    assert {each.output.resolve() for each in open_run(".").scores} == {each.output for each in run.scores}


def test_a_notebook_shows_the_numbers_of_the_command(scored, mmts, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = mmts("eval", scored, "-o", scored.parent / "validation", "--split", "val", "--resamples", 0).out
    html = open_scores(scored.parent / "validation")._repr_html_()
    numbers = re.findall(r"[\d.,]*\d", " ".join(cells(html)))
    table = shown[shown.index("text to media") :]
    assert numbers
    assert numbers == re.findall(r"[\d.,]*\d", table)


@pytest.mark.parametrize("missing", ["metrics.json", "steps.parquet"])
def test_what_is_no_complete_run_is_refused(scored, missing) -> None:
    (scored / missing).unlink()
    with pytest.raises(InputError, match=str(scored)):
        open_run(scored)


def test_a_folder_without_scores_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="holds no scores; make some with `mmts eval`"):
        open_scores(tmp_path)


@pytest.mark.slow
def test_views_show_their_figures(world, scored) -> None:
    views = [
        read_tail(world.clusters),
        plan_band(world.shifts, steps=10, alpha=0.04),
        read_curves(scored),
        read_shift_rules(world.clusters, minimum=0.1, maximum=0.2),
        read_thirds(scored / "scores"),
    ]
    assert all(view._repr_png_().startswith(PNG) for view in views)
    assert repr(views[1]).startswith("Band(quantity=temperature, lowest=0.03")
    assert max(len(repr(view)) for view in views) < 120


def test_every_such_view_has_a_figure() -> None:
    assert set(_DRAW) == set(Pictured.__subclasses__())
