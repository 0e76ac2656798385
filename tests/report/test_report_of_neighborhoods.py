"""The page and the figures where frequency comes from ``--method knn``: neighborhoods, which nothing calls clusters."""

import html
import re

import pytest
from matplotlib.figure import Figure

from pipelines.cluster import cluster
from pipelines.evaluate import evaluate
from pipelines.plot.band import draw_band
from pipelines.plot.tail import draw_tail
from pipelines.report import report
from pipelines.shifts import shifts
from pipelines.train import train
from pipelines.views.band import band_of_run
from pipelines.views.tail import read_tail
from report.page_data import data_of

CLUSTERS = re.compile(r"\bclusters?\b", re.IGNORECASE)
FEW = 16  # samples on the map: of so few, UMAP isn't loaded


@pytest.fixture(scope="module")
def dense(tmp_path_factory, write_artifact):
    """A project on neighborhoods: a run, its scores and its page."""
    from tiny_world import make_tiny_world

    world = make_tiny_world(tmp_path_factory.mktemp("dense"), write_artifact)
    knn = world.folder / "knn.parquet"
    cluster(world.text, knn, method="knn", neighbors=9)
    shifts([knn], world.shifts, minimum=0.05, maximum=0.1, force=True)
    train(world.config("run", temperature="mmts", tau=None, alpha=0.04, shifts=world.shifts, epochs=2))
    evaluate(world.folder / "scores", run=world.folder / "run", resamples=0)
    report(world.folder / "run", world.folder / "report.html", sample=FEW)
    return world


def sections_of(path) -> dict[str, str]:
    """The words of each section, as a reader or a screen reader has them."""
    found = re.findall(r'<section id="(\w+)"[^>]*>(.*?)</section>', path.read_text(), re.DOTALL)
    spoken = {name: " ".join(re.findall(r'(?:aria-label|alt)="([^"]*)"', inner)) for name, inner in found}
    return {name: html.unescape(re.sub(r"<[^>]*>", " ", inner) + spoken[name]) for name, inner in found}


def test_no_section_says_clusters(dense) -> None:
    sections = sections_of(dense.folder / "report.html")
    assert list(sections) == ["tail", "map", "clusters", "training", "scores", "worst", "made"]
    del sections["made"]  # what made the files goes by the names of the commands and files
    assert [name for name, words in sections.items() if CLUSTERS.search(words)] == []
    assert sections["clusters"].split()[0] == "Neighborhoods"


def test_the_script_says_neighborhood_too(dense) -> None:
    """Of the table and the hover: `test_report_page` reads them in a browser."""
    data = data_of(dense.folder / "report.html")
    assert data["noun"] == "neighborhood"
    names = [trace["name"] for figure in data["figures"].values() for trace in figure["data"] if "name" in trace]
    assert [name for name in names if CLUSTERS.search(name)] == []
    assert any(re.fullmatch(r"tail: \d+ to \d+ samples alike", name) for name in names)


def test_a_neighborhood_goes_by_the_text_of_its_sample(dense) -> None:
    import pyarrow.parquet as pq

    rows = {row["name"]: row["texts"] for row in data_of(dense.folder / "report.html")["clusters"]}
    text_of = {row["sample_id"]: row["text"] for row in pq.read_table(dense.annotations).to_pylist()}
    numbered = pq.read_table(dense.knn).to_pylist()
    assert rows == {str(row["cluster"]): [text_of[row["sample_id"]]] for row in numbered}


def test_the_page_asks_for_no_labels_that_neighborhoods_lack(dense) -> None:
    left_out = report(dense.folder / "run", dense.folder / "report.html", sample=FEW).summary["left_out"]
    assert [line for line in left_out if line.startswith("Labels")] == []


def test_figures_say_nothing_of_clusters(dense) -> None:
    for draw, seen in (
        (draw_band, band_of_run(dense.folder / "run")),
        (draw_tail, read_tail(dense.knn, dense.shifts, dense.annotations)),
    ):
        figure = Figure()
        draw(figure, seen)
        words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        words += [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel(), axes.get_title())]
        assert len(words) > 3
        assert [line for line in words if CLUSTERS.search(line)] == []
