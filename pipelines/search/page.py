"""What was found as a small web page: one file, pictures inside."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipelines.artifacts.files import replacing, require_writable
from pipelines.artifacts.provenance import library_versions
from pipelines.errors import InputError
from pipelines.pages import environment, style, theme_script
from pipelines.search.hits import Hit
from pipelines.search.result import SearchResult

_TEMPLATES = Path(__file__).parent / "page"
_OURS = re.compile(r'<meta name="generator" content="mmts [^"]* search">')
_HEAD = 1000  # characters within which that stands
_WORDS_SHOWN = 4


def require_page(output: Path, *, force: bool) -> None:
    """Check that a page can be written, before any work is done.

    Raises:
        InputError: The name isn't a page's, the folder can't be written to, or without ``force`` the file there is
            not a page that a search wrote.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output}: is a web page; end its name in .html")
    require_writable(output)
    if force or not output.exists():
        return
    with output.open(encoding="utf-8", errors="replace") as file:
        if _OURS.search(file.read(_HEAD)) is None:
            raise InputError(f"{output}: exists and was not written by `mmts search`; use --force to overwrite it")


def write_page(result: SearchResult, output: Path, pictures: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Write the page, whole or not at all.

    Args:
        result: What was found.
        output: File to write.
        pictures: Thumbnails by media id, as data URIs.
        asked: Thumbnails of the files that were searched for, by name.
    """
    queries = [
        {
            "said": found.query.said,
            "picture": asked.get(found.query.value) or pictures.get(found.query.media_id or ""),
            "hits": [_shown(hit, pictures) for hit in found.hits],
        }
        for found in result.queries
    ]
    known = any(hit.third for found in result.queries for hit in found.hits)
    thirds = f"Head, middle and tail by training cluster size: {result.cluster_sizes}." if known else ""
    page = (
        environment(_TEMPLATES)
        .get_template("found.html")
        .render(
            generator=f"mmts {library_versions(())['mmts']} search",
            title=f"Search in {result.run.resolve().name}",
            about=f"The nearest of {result.searched}",
            queries=queries,
            has_pictures=bool(pictures),
            explained=f"Similarity is the cosine of the run's vectors, at most 1. {thirds}",
            style=style(),
            script=theme_script() + Markup("startTheme();"),
        )
    )
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _shown(hit: Hit, pictures: Mapping[str, str]) -> dict[str, Any]:
    """A hit as the template shows it."""
    about = [hit.media_id if hit.sample_id is None else hit.sample_id]
    about += [f"{hit.samples:,} samples have it"] if hit.sample_id is not None and hit.samples > 1 else []
    about += [f"cluster: {', '.join(hit.cluster_words[:_WORDS_SHOWN])}"] if hit.cluster_words else []
    return {
        "rank": hit.rank,
        "similarity": f"{hit.similarity:.3f}",
        "third": hit.third,
        "text": hit.texts[0],
        "more": hit.texts[1:],
        "about": about,
        "picture": pictures.get(hit.media_id),
    }
