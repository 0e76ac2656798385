"""What a page holds, as plain data, and its HTML: one file that asks nothing of any server."""

import base64
import gzip
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipelines.pages import environment, style, theme_script

_ASSETS = Path(__file__).parent / "page"
_SCRIPTS = ("charts.js", "map.js", "start.js")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows, in words.
        columns: Names of the columns; the first names the row.
        rows: Cells as they are shown; a line break makes two lines.
        words: Those of the other columns that hold words, not numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Chart:
    """A chart, and the same for those who can't see it.

    Attributes:
        id: Its name in the page.
        title: What it shows.
        message: What there is to see, in words.
        figure: ``{"data", "layout"}`` as Plotly takes them. A colour may name a variable of the page's style, such as
            ``--tail``, which follows the theme.
        table: Its numbers.
    """

    id: str
    title: str
    message: str
    figure: Mapping[str, Any]
    table: Table


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        id: Its name in the page.
        title: Its heading.
        words: What was found: a paragraph, or a list of several.
        charts: Its charts.
        tables: Its tables.
        include: A template of its own that comes after these; None for none.
        content: What that template shows.
        data: What the page's script needs for it: merged into the data of the page.
    """

    id: str
    title: str
    words: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    include: str | None = None
    content: Any = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Its heading.
        summary: What was found, in short.
        sections: Its sections.
        left_out: What is not there and what would add it, a line each.
        pictures: Thumbnails as data URIs.
        generator: What made it.
        record: What the stage wants to read back from it, as text.
    """

    title: str
    summary: Sequence[str]
    sections: Sequence[Section]
    left_out: Sequence[str]
    pictures: Sequence[str]
    generator: str
    record: str


def render(page: Page) -> str:
    """The page as HTML, with its style, scripts and data inside.

    Texts are escaped by Jinja where they stand in the page; those for the scripts are compressed JSON, in letters that
    mean nothing in HTML.
    """
    figures = {chart.id: chart.figure for section in page.sections for chart in section.charts}
    data: dict[str, Any] = {"figures": figures, "pictures": page.pictures}
    for section in page.sections:
        data |= section.data
    return (
        environment(_ASSETS)
        .get_template("page.html")
        .render(
            page=page,
            style=style() + _asset("report.css"),
            script=theme_script() + Markup("\n").join(map(_asset, _SCRIPTS)),
            plotly=_packed(_plotly().read_bytes()),
            data=_packed(json.dumps(data, ensure_ascii=False, allow_nan=False).encode()),
        )
    )


def _asset(name: str) -> Markup:
    return Markup((_ASSETS / name).read_text(encoding="utf-8"))


def _plotly() -> Path:
    """Plotly's script, from its Python package, which is not imported: that would take a second."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None, "plotly is a dependency"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"


def _packed(content: bytes) -> str:
    """Compressed, as letters."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()
