"""The page in a browser: nothing leaves it, and it answers to pointer, keyboard, theme and width."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cluster import cluster
from pipelines.report import report
from report.projects import ATTACKS

pytestmark = pytest.mark.slow

WIDE, NARROW = 1440, 360
SIZES = {"3": 56, "2": 24, "1": 12, "0": 4}  # training samples by cluster


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Maps by principal components: UMAP, which compiles for seconds, has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.views.layout._FEWEST", 10**6)
        yield


@pytest.fixture(scope="module")
def written(quick: None, project: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("page") / "report.html"
    report(project.folder, output, media=project.folder / "images.zip")
    return output


class Opened:
    """A page that was opened, with all it asked for and complained of."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.as_uri()
        self.page.goto(self.url)
        self.page.wait_for_selector("html[data-ready]")

    def rows(self) -> dict[str, int]:
        """Training samples of the clusters in the table, by name."""
        rows = self.page.locator("#cluster-rows tr:not(.gap)").all()
        return {row.locator("th").inner_text(): int(row.locator("td.number").first.inner_text()) for row in rows}

    def show_all(self) -> None:
        """Take the filter off the table of clusters."""
        self.page.get_by_role("button", name="Show all clusters").click()

    def point(self, row: int) -> tuple[float, float]:
        """Where on the screen a point of the map is."""
        self.page.locator("#map-chart").scroll_into_view_if_needed()
        x, y = self.page.evaluate(
            """(row) => {
                const chart = document.getElementById("map-chart"), layout = chart._fullLayout, all = chart.data[0];
                return [layout.xaxis.l2p(all.x[row]) + layout._size.l, layout.yaxis.l2p(all.y[row]) + layout._size.t];
            }""",
            row,
        )
        box = self.page.locator("#map-chart").bounding_box()
        return box["x"] + x, box["y"] + y

    def background(self) -> str:
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def close(self) -> None:
        """Nothing was asked for, complained of, or run that stands in a text."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith("data:")] == [self.url]
        assert self.page.evaluate("window.hacked") is None
        self.context.close()


@pytest.fixture(scope="module")
def desk(browser: Any, written: Path) -> Iterator[Opened]:
    """The page on a desk, opened once: each test leaves it as it was."""
    view = Opened(browser, written, WIDE, "light")
    yield view
    view.close()


def test_every_section_is_there_and_every_chart_is_drawn_and_described(desk):
    page = desk.page
    assert [each.inner_text() for each in page.locator("main h2").all()] == [
        *("Your tail", "The map", "Clusters", "Training", "Scores by frequency", "Worst queries", "How it was made")
    ]
    charts = page.locator(".chart").all()
    for chart in charts:
        assert chart.get_attribute("role") == "img"
        assert len(chart.get_attribute("aria-label")) > 20
        assert chart.locator("svg.main-svg").count() > 0
    # But for the map, whose table is that of the clusters, the numbers of each are there as a table too.
    assert page.locator("figure details table").count() == len(charts) - 1 > 8


def test_the_map_answers_a_hover_and_a_click_filters_the_table(desk):
    assert desk.rows() == SIZES
    card = desk.page.locator("#map-card")
    assert not card.is_visible()
    desk.page.mouse.move(*desk.point(0))
    card.wait_for(state="visible")
    shown = card.inner_text()
    assert any(text.split()[0] in shown for text in ATTACKS)
    name = shown.split("cluster ")[1].split(" ")[0]
    desk.page.mouse.click(*desk.point(0))
    desk.page.wait_for_selector("#cluster-all:not([hidden])")
    assert desk.rows() == {name: SIZES[name]}
    assert desk.page.locator("#cluster-samples li").count() > 0
    desk.show_all()
    assert desk.rows() == SIZES


def test_a_click_on_the_tail_filters_the_table(desk):
    desk.page.evaluate("document.getElementById('tail-sizes').emit('plotly_click', { points: [{ customdata: 2 }] })")
    assert desk.rows() == {"1": 12}
    desk.show_all()


def test_the_map_takes_three_colourings_and_zooms(desk):
    page, colours = desk.page, set()
    for by in ("size", "recall", "cluster"):
        page.select_option("#map-colour", by)
        colours.add(str(page.evaluate("document.getElementById('map-chart').data[0].marker.color")))
        assert page.locator("#map-legend").inner_text() != ""
    assert len(colours) == 3
    width = "(([low, high]) => high - low)(document.getElementById('map-chart').layout.xaxis.range)"
    whole = page.evaluate(width)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(width) == pytest.approx(0.6 * whole)
    page.get_by_role("button", name="Whole map").click()
    assert page.evaluate(width) == pytest.approx(whole)


def test_clusters_are_searched_and_ordered(desk):
    desk.page.fill("#cluster-search", "word1")
    assert desk.rows() == {"1": 12}
    desk.page.fill("#cluster-search", "")
    desk.page.select_option("#cluster-order", "smallest")
    assert list(desk.rows()) == ["0", "1", "2", "3"]
    desk.page.select_option("#cluster-order", "recall")
    assert sorted(desk.rows()) == ["0", "1", "2", "3"]
    desk.page.select_option("#cluster-order", "both")


def test_texts_are_shown_as_they_are(desk):
    page = desk.page
    page.get_by_role("button", name="Show cluster 3 alone").click()
    shown = page.locator("#cluster-samples").inner_text() + page.locator("#worst").inner_text()
    for text in ATTACKS:
        assert text.replace("\u2028", "").split("  ")[0] in shown.replace("\u2028", "")
    assert page.locator("#cluster-rows td.words").first.inner_text() == f"{ATTACKS[0]}, word3"
    assert page.locator("b").count() == 0  # no text became markup
    assert page.locator("img[src=x]").count() == 0
    desk.show_all()


def test_the_theme_follows_the_system_and_the_button(browser, written, desk):
    night = Opened(browser, written, WIDE, "dark")
    ink = "document.querySelector('#loss .xtick text').style.fill"
    of_system = {"light": (desk.background(), desk.page.evaluate(ink))}
    of_system["dark"] = (night.background(), night.page.evaluate(ink))
    assert of_system["light"][0] != of_system["dark"][0]
    assert of_system["light"][1] != of_system["dark"][1]  # charts too
    for view, other in ((desk, "dark"), (night, "light")):
        view.page.get_by_role("button", name=f"Switch to {other} colours").click()
        assert (view.background(), view.page.evaluate(ink)) == of_system[other]
    desk.page.get_by_role("button", name="Switch to light colours").click()
    night.close()


def test_nothing_scrolls_sideways(browser, written, desk):
    phone = Opened(browser, written, NARROW, "light")
    for view, width in ((phone, NARROW), (desk, WIDE)):
        view.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        view.page.get_by_role("button", name="Show cluster 3 alone").click()
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    phone.close()
    desk.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    desk.show_all()


def test_every_control_is_reached_by_keyboard_and_shows_it(browser, written):
    view = Opened(browser, written, WIDE, "light")  # a fresh page: Tab goes on from what was used last
    wanted = ["Skip to the report", "theme", "map-colour", "map-in", "map-reset", "cluster-order", "cluster-search"]
    reached: list[str] = []
    while wanted[-1] not in reached and len(reached) < 100:
        view.page.keyboard.press("Tab")
        reached.append(view.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert view.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert [each for each in reached if each in wanted] == wanted
    view.page.get_by_role("button", name="Show cluster 2 alone").press("Enter")
    assert view.rows() == {"2": 24}
    view.close()


def test_worst_queries_are_of_the_tail_until_all_are_asked_for(desk):
    page = desk.page
    texts = page.locator(".queries").first
    of_tail = texts.locator(".query[data-tail=yes]").count()
    assert 0 < of_tail <= 10 < texts.locator(".query").count()
    assert texts.locator(".query:visible").count() == of_tail
    page.select_option("#worst-of", "all")
    assert texts.locator(".query:visible").count() == 10
    more = page.get_by_role("button", name=re.compile("Show more of these"))
    while more.count():
        more.first.click()
    assert page.locator(".query:visible").count() == page.locator(".query").count()
    pictures = texts.locator(".query").first.locator("img")
    assert pictures.count() == 6  # the right medium and five others
    assert all(each.evaluate("each => each.naturalWidth") > 0 for each in pictures.all())
    page.select_option("#worst-of", "tail")


def test_shifts_without_a_range_fit_a_phone(browser, world) -> None:
    """Nothing records the range of shifts that mmts didn't make, and their axes say so."""
    (world.folder / "text.parquet").unlink()
    output = world.folder / "report.html"
    report(world.folder, output)
    view = Opened(browser, output, NARROW, "light")
    assert view.page.evaluate("document.documentElement.scrollWidth") <= NARROW
    view.close()


@pytest.mark.usefixtures("quick")
def test_a_map_without_clusters_has_one_colour_and_answers_a_hover(browser, world) -> None:
    (world.folder / "clusters.parquet").unlink()
    (world.folder / "shifts.parquet").unlink()
    folder = world.folder.rename(world.folder.parent / ("long" * 20))
    output = folder / "report.html"
    report(folder, output)
    view = Opened(browser, output, NARROW, "light")
    assert view.page.evaluate("document.documentElement.scrollWidth") <= NARROW  # though it names a long path
    card = view.page.locator("#map-card")
    view.page.mouse.move(*view.point(0))
    card.wait_for(state="visible")
    assert card.inner_text().startswith("caption m")
    assert "cluster" not in card.inner_text()
    view.page.mouse.click(*view.point(0))
    view.page.get_by_role("button", name="Zoom in").click()
    view.close()


@pytest.mark.usefixtures("quick")
def test_neighborhoods_are_called_so_by_map_and_table(browser, world) -> None:
    cluster(world.text, world.folder / "knn.parquet", method="knn", neighbors=9)
    (world.folder / "clusters.parquet").unlink()
    (world.folder / "shifts.parquet").unlink()
    output = world.folder / "report.html"
    report(world.folder, output)
    view = Opened(browser, output, WIDE, "light")
    view.page.mouse.move(*view.point(0))
    card = view.page.locator("#map-card")
    card.wait_for(state="visible")
    name = re.search(r"neighborhood (\d+)", card.inner_text())[1]
    view.page.mouse.click(*view.point(0))
    view.page.wait_for_selector("#cluster-all:not([hidden])")
    assert list(view.rows()) == [name]
    alone = view.page.locator("#clusters").inner_text()
    assert f"Neighborhood {name} alone is shown" in alone
    assert f"The sample at the center of neighborhood {name}" in alone
    view.page.get_by_role("button", name="Show all neighborhoods").click()
    seen = (
        alone + card.inner_text() + "".join(view.page.locator(f"#{part}").inner_text() for part in ("map", "clusters"))
    )
    assert "20 of 184 neighborhoods shown" in seen
    assert "cluster" not in seen.lower()
    view.close()
