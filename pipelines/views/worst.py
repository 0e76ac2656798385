"""The queries that did worst, with what was found instead of the right item."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.artifacts import MISSES, RANKS, align, read_annotations, read_clusters, read_provenance, read_table
from pipelines.errors import InputError
from pipelines.remote import located

Direction = Literal["text_to_media", "media_to_text"]
Third = Literal["tail", "middle", "head"]


@dataclass(frozen=True)
class Found:
    """A medium with its texts, or a text with its medium.

    Attributes:
        id: ``media_id`` of a medium, ``sample_id`` of a text.
        media_id: The medium.
        texts: Texts of the medium; the one text.
        similarity: Cosine of its embedding and the query's.
    """

    id: str
    media_id: str
    texts: tuple[str, ...]
    similarity: float


@dataclass(frozen=True)
class WorstQuery:
    """A query that found something wrong first.

    Attributes:
        direction: What it searches for.
        id: ``sample_id`` of a text, ``media_id`` of a medium.
        media_id: Its medium: what a text should find, or the query itself.
        texts: The text that is searched for; of a medium the texts that it should find.
        rank: Place of the first right item; None where relevancy is graded.
        right: The most similar right item.
        found: The most similar wrong items, the best first.
        cluster_size: Training cluster size of the query; None where sizes are not known.
        third: ``tail``, ``middle`` or ``head``; likewise.
        cluster: Cluster of its sample, of a medium's first; None without clusters.
    """

    direction: Direction
    id: str
    media_id: str
    texts: tuple[str, ...]
    rank: int | None
    right: Found
    found: tuple[Found, ...]
    cluster_size: float | None
    third: Third | None
    cluster: int | None

    @property
    def gap(self) -> float:
        """How much more similar the first wrong item is than the right one."""
        return self.found[0].similarity - self.right.similarity if self.found else 0.0


def read_worst(scores: Path | str, annotations: Path | str, *, clusters: Path | str | None = None) -> list[WorstQuery]:
    """The queries that did worst, those first whose first wrong item is the most more similar than the right one.

    Such queries are sure of something else, as where a label is wrong; a bad rank alone also comes from texts that
    fit many media. `mmts eval` keeps, of each third and direction, the 100 queries that rank worst.

    Args:
        scores: Folder that ``mmts eval`` wrote.
        annotations: The annotations that were scored.
        clusters: Clusters file of the same samples.

    Raises:
        InputError: A file can't be used, the folder was written by an mmts that kept no misses, or samples are missing
            in one of the files.
    """
    scores, annotations = located(scores), located(annotations)
    misses = _misses(scores)
    samples = _samples(annotations, None if clusters is None else located(clusters), misses)
    return sorted((_query(miss, samples) for miss in misses), key=lambda query: -query.gap)


_Row = dict[str, Any]


@dataclass(frozen=True)
class _Sample:
    sample_id: str
    media_id: str
    text: str
    cluster: int | None


@dataclass(frozen=True)
class _Samples:
    """Samples by their own id and by that of their medium."""

    of_text: dict[str, _Sample]
    of_medium: dict[str, list[_Sample]]

    def of(self, id_: str, *, is_text: bool) -> list[_Sample]:
        """The one sample of a text, or those of a medium."""
        return [self.of_text[id_]] if is_text else self.of_medium[id_]


def _misses(scores: Path) -> list[_Row]:
    """The rows of ``misses.parquet``, each with the columns of its row in ``ranks.parquet``."""
    path, of_all = scores / "misses.parquet", scores / "ranks.parquet"
    if not path.exists() and (scores / "classes.parquet").exists():
        raise InputError(f"{scores}: classifies; see its classes.parquet, or score retrieval with `mmts eval`")
    if not path.exists():
        raise InputError(f"{scores}: has no misses.parquet; score again with `mmts eval`")
    made, made_with = read_provenance(path), read_provenance(of_all)
    if made is None or made_with is None or made.fingerprint != made_with.fingerprint:
        raise InputError(f"{path}: is not of the scores in {of_all.name}; score again with `mmts eval --force`")
    if not made.rows:  # every query found its own first
        return []
    if "right" not in pq.read_schema(path).names:
        raise InputError(f"{path}: written by an older mmts; score again with `mmts eval`")
    misses, ranks = read_table(path, MISSES), read_table(of_all, RANKS)
    ranks = ranks.filter(pc.is_in(ranks.column("query_id"), value_set=misses.column("query_id")))
    rank_of = {(row["direction"], row["query_id"]): row for row in ranks.to_pylist()}
    return [miss | rank_of[miss["direction"], miss["query_id"]] for miss in misses.to_pylist()]


def _samples(annotations: Path, clusters: Path | None, misses: list[_Row]) -> _Samples:
    """What annotations and clusters say of all that the misses name."""
    texts, media = set[str](), set[str]()
    for miss in misses:
        queries, items = (texts, media) if miss["direction"] == "text_to_media" else (media, texts)
        queries.add(miss["query_id"])
        items.update((miss["right"], *miss["retrieved"]))
    table = read_annotations(annotations)
    named = {"sample_id": pa.array(sorted(texts), pa.string()), "media_id": pa.array(sorted(media), pa.string())}
    for column, what in (("sample_id", "samples"), ("media_id", "media")):
        align(pa.chunked_array([named[column]]), table.column(column).unique(), what=what, path=annotations)
    # The media of texts are shown with all their texts too.
    of_texts = table.filter(pc.is_in(table.column("sample_id"), value_set=named["sample_id"])).column("media_id")
    wanted = pa.chunked_array([*of_texts.chunks, named["media_id"]]).unique()
    table = table.filter(pc.is_in(table.column("media_id"), value_set=wanted))
    clusters_n = [None] * len(table)
    if clusters is not None:
        found = read_clusters(clusters)
        rows = align(table.column("sample_id"), found.column("sample_id"), what="samples", path=clusters)
        clusters_n = found.column("cluster").take(pa.array(rows)).to_pylist()
    samples = _Samples({}, {})
    columns = (table.column(name).to_pylist() for name in ("sample_id", "media_id", "text"))
    for sample in map(_Sample, *columns, clusters_n):
        samples.of_text[sample.sample_id] = sample
        samples.of_medium.setdefault(sample.media_id, []).append(sample)
    return samples


def _query(miss: _Row, samples: _Samples) -> WorstQuery:
    is_text = miss["direction"] == "text_to_media"
    own = samples.of(miss["query_id"], is_text=is_text)

    def found(id_: str, similarity: float) -> Found:
        its = samples.of(id_, is_text=not is_text)
        return Found(id_, its[0].media_id, tuple(each.text for each in its), similarity)

    return WorstQuery(
        miss["direction"],
        miss["query_id"],
        own[0].media_id,
        tuple(each.text for each in own),
        miss["rank"],
        found(miss["right"], miss["similarity"]),
        tuple(map(found, miss["retrieved"], miss["similarities"])),
        miss["cluster_size"],
        miss["third"],
        own[0].cluster,
    )
