"""Worst queries: what was found instead of the right item, first where the model is surest of the wrong one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.report.clusters import Clusters
from pipelines.report.page import Section
from pipelines.views.worst import WorstQuery

SHOWN = {"text_to_media": 40, "media_to_text": 20}  # of the tail, and as many of all thirds
_TITLES = {"text_to_media": "Texts that found another medium", "media_to_text": "Media that found another text"}


@dataclass(frozen=True)
class Item:
    """What is shown of a medium or a text.

    Attributes:
        text: Its text, or one of the texts of the medium.
        others: Other texts of the medium.
        tag: Its place and similarity, in words.
        picture: Number of the thumbnail of its medium; None where there is none.
    """

    text: str
    tag: str
    picture: int | None
    others: Sequence[str] = ()


@dataclass(frozen=True)
class Query:
    """A query, the right item and what was found instead."""

    text: str
    about: str
    picture: int | None
    is_tail: bool
    right: Item
    found: Sequence[Item]


@dataclass(frozen=True)
class Group:
    """The queries of a direction."""

    title: str
    queries: Sequence[Query]


def shown_queries(queries: Iterable[WorstQuery]) -> list[WorstQuery]:
    """Those that the page shows: of each direction the first of the tail, and the first of all."""
    ordered = list(queries)
    shown = []
    for direction, most in SHOWN.items():
        of = [query for query in ordered if query.direction == direction]
        tail = {query.id for query in [query for query in of if query.third == "tail"][:most]}
        shown += [query for place, query in enumerate(of) if place < most or query.id in tail]
    return shown


def worst_section(queries: Sequence[WorstQuery], clusters: Clusters | None, pictures: dict[str, int]) -> Section:
    """The worst queries, with thumbnails where there are images or clips.

    Args:
        queries: From `shown_queries`.
        clusters: Clusters, whose words say what a query's kind is.
        pictures: Numbers of the thumbnails by medium.
    """
    groups = [
        Group(title, [_query(query, clusters, pictures) for query in queries if query.direction == direction])
        for direction, title in _TITLES.items()
    ]
    words = (
        "Ordered by margin: how much more similar the first wrong result is than the query's own. Where it is large, "
        "the model is sure of something else: because the label is wrong, in any third, or because a text fits several "
        "media."
    )
    content = {
        "groups": [group for group in groups if group.queries],
        "tail": sum(query.third == "tail" for query in queries),
        "all": len(queries),
    }
    return Section(id="worst", title="Worst queries", words=[words], include="worst.html", content=content)


def _query(query: WorstQuery, clusters: Clusters | None, pictures: dict[str, int]) -> Query:
    own = pictures.get(query.media_id)
    rank = "" if query.rank is None else f"rank {query.rank:,}, "
    searches_media = query.direction == "text_to_media"
    shown = query.texts[0] if searches_media else query.right.texts[0]
    all_texts = query.right.texts if searches_media else query.texts
    right = Item(
        "" if searches_media else shown,
        f"its own: {rank}similarity {query.right.similarity:.2f}",
        pictures.get(query.right.media_id) if searches_media else None,
        [text for text in dict.fromkeys(all_texts) if text != shown],
    )
    found = [
        Item(each.texts[0], f"found {place}: similarity {each.similarity:.2f}", pictures.get(each.media_id))
        for place, each in enumerate(query.found, start=1)
    ]
    title = query.texts[0] if searches_media else query.media_id
    about = [query.id] if searches_media else []
    about.append(f"margin {query.gap:.2f}")
    if query.third is not None and query.cluster_size is not None:
        like = "like it" if searches_media else "like its texts, on average"
        about.append(f"{query.third}, {query.cluster_size:,.0f} training samples {like}")
    if query.cluster is not None and clusters is not None:
        about.append(clusters.said(query.cluster))
    return Query(title, "; ".join(about), None if searches_media else own, query.third == "tail", right, found)
