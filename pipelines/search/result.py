"""What was found, and how a terminal and a notebook show it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.search.collection import ALL_SPLITS, Among
from pipelines.search.hits import Hit
from pipelines.search.queries import Query
from pipelines.tables import Shown
from pipelines.words import written

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_WORDS_SHOWN = 4


@dataclass(frozen=True)
class Found:
    """What was found for one query.

    Attributes:
        query: The query.
        hits: The nearest, the nearest first.
    """

    query: Query
    hits: list[Hit]


@dataclass(frozen=True)
class SearchResult(Shown):
    """What was found.

    Attributes:
        run: The run.
        among: ``media`` or ``text``.
        split: The split that was searched.
        candidates: How many media or distinct texts there are.
        in_all: How many all splits have.
        vectors: File of their vectors; None where it couldn't be kept.
        up_to_date: Whether that was there already.
        cluster_sizes: Where cluster sizes and thirds come from, or why there are none.
        bad_media: Why media can't be decoded and are left out, by id.
        queries: What was found for each query, in the order given.
        page: The web page that was written, if one was.
    """

    run: Path
    among: Among
    split: str
    candidates: int
    in_all: int
    vectors: Path | None
    up_to_date: bool
    cluster_sizes: str
    bad_media: dict[str, str]
    queries: list[Found]
    page: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        plain = dataclasses.asdict(self)
        paths = {name: str(value) for name, value in plain.items() if isinstance(value, Path)}
        return plain | paths

    @property
    def searched(self) -> str:
        """What was searched, in words."""
        what = "media" if self.among == "media" else "distinct texts"
        return f"{self.candidates:,} {what}{'' if self.split == ALL_SPLITS else f' of split {self.split}'}"

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """What was searched, and a table of the nearest for each query."""
        if self.vectors is None:
            kept = "vectors not kept: the run's folder is read-only"
        else:
            kept = written(self.vectors, up_to_date=self.up_to_date)
        more = "" if self.split == ALL_SPLITS else f"; --split all searches all {self.in_all:,}"
        yield f"{self.searched}{more} ({kept})"
        if any(hit.third for found in self.queries for hit in found.hits):
            yield f"third: by training cluster size ({self.cluster_sizes})"
        if self.bad_media:
            named = ", ".join(list(self.bad_media)[:3])
            yield f"{len(self.bad_media):,} media can't be decoded and are left out, first: {named}"
        for found in self.queries:
            yield ""
            yield found.query.said
            yield _table(found.hits, self.among)
        if self.page is not None:
            yield ""
            yield f"{self.page}: written"


def _table(hits: list[Hit], among: Among) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    thirds = any(hit.third for hit in hits)
    heads = [Column("rank", justify="right"), Column("similarity", justify="right")]
    heads += [Column("third")] if thirds else []
    table = Table(*heads, Column(among, overflow="fold"), box=None, pad_edge=False)
    for hit in hits:
        third = [Text(hit.third or "")] if thirds else []
        table.add_row(Text(str(hit.rank)), Text(f"{hit.similarity:.3f}"), *third, _words(hit, among))
    return table


def _words(hit: Hit, among: Among) -> "Text":
    """A medium with its first text below it, or a text with its samples; then its place and its cluster, if known."""
    from rich.text import Text

    if among == "media":
        first, others = hit.media_id, len(hit.texts) - 1
        below = hit.texts[0]
    else:
        first, others = hit.texts[0], hit.samples - 1
        below = str(hit.sample_id)
    lines = [f"{below} (and {others:,} more)" if others else below]
    lines += [hit.place] if hit.place else []
    lines += [f"cluster: {', '.join(hit.cluster_words[:_WORDS_SHOWN])}"] if hit.cluster_words else []
    return Text.assemble(first, ("".join(f"\n{line}" for line in lines), "dim"))
