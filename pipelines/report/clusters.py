"""The clusters as the page's table and map show them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import RANKS, read_annotations, read_clusters, read_table
from pipelines.views.found import FOUND_WITHIN, query_ranks
from pipelines.views.tail import Tail, read_tail


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters, the largest first; all samples of noise together as one.

    Attributes:
        tail: What they come from, in which each sample of noise is a cluster of its own.
        place_k: Place in the table of each cluster of ``tail`` ``(k,)``.
        number_c: Number of each of c clusters in the table ``(c,)``; -1 for noise.
        found_c: How many of its queries were found ``(c,)``; None without scores.
        queries_c: How many queries it has ``(c,)``; None without scores.
        labels: Words and nearest texts by number of the cluster; of a neighborhood the text of its sample.
        noise: How many samples are in no cluster.
    """

    tail: Tail
    place_k: NDArray[np.int64]
    number_c: NDArray[np.int64]
    found_c: NDArray[np.int64] | None
    queries_c: NDArray[np.int64] | None
    labels: dict[int, tuple[list[str], list[str]]]
    noise: int

    def name_of(self, row: int) -> str:
        """The name of a cluster of ``tail``."""
        return _name(int(self.tail.cluster_k[row]))

    def said(self, number: int) -> str:
        """A cluster in words: ``cluster 44 (runs, running, girl)``; ``neighborhood 44``."""
        words = ", ".join(self.labels.get(number, ([], []))[0])
        return f"{self.tail.noun} {_name(number)}{f' ({words})' if words else ''}"

    def places_of(self, cluster_n: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the table of samples' clusters ``(n,)``."""
        order = np.argsort(self.number_c)
        place_n: NDArray[np.int64] = order[np.searchsorted(self.number_c[order], cluster_n)]
        return place_n

    def columns(self) -> dict[str, str]:
        """The table's columns and their headings."""
        found = {"name": self.tail.noun}
        clustered = self.tail.centers is None
        if self.labels and clustered:
            found["words"] = "words that set it apart"
        found["size"] = "training samples"
        if self.tail.shifts is not None:
            found["shift"] = "shift (mean)" if clustered else "shift"
        if self.queries_c is not None:
            found |= {"recall": f"found within {FOUND_WITHIN}", "queries": "text queries"}
        if self.labels:
            found["texts"] = "typical texts" if clustered else "text at its center"
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The table's rows, for the page's script."""
        first_c = np.unique(self.place_k, return_index=True)[1]
        rows = []
        for place, (number, row) in enumerate(zip(self.number_c.tolist(), first_c.tolist(), strict=True)):
            words, texts = self.labels.get(number, ([], []))
            queries = 0 if self.queries_c is None else int(self.queries_c[place])
            found = 0 if self.found_c is None else int(self.found_c[place])
            rows.append(
                {
                    "name": _name(number),
                    "noise": number < 0,
                    "size": int(self.tail.size_k[row]),
                    "shift": None if self.tail.shifts is None else float(self.tail.shifts.mean_k[row]),
                    "recall": 100 * found / queries if queries else None,
                    "queries": queries,
                    "words": ", ".join(words),
                    "texts": texts,
                }
            )
        return rows


def read_cluster_rows(
    clusters: Path,
    shifts: Path | None,
    scores: Path | None,
    labels: dict[int, tuple[list[str], list[str]]],
    annotations: Path | None = None,
) -> Clusters:
    """Read clusters with what is known of each.

    Args:
        clusters: Clusters file.
        shifts: Shifts file of the same samples.
        scores: Folder of scores.
        labels: Words and nearest texts by number of the cluster.
        annotations: Annotations file, see `read_tail`; also for the texts that neighborhoods are of.

    Raises:
        InputError: A file can't be used.
    """
    tail = read_tail(clusters, shifts, annotations)
    known, first, inverse_k = np.unique(tail.cluster_k, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    number_c = known[order]
    table = read_clusters(clusters)
    found_c, queries_c = (None, None) if scores is None else _recall(scores, table, number_c)
    if tail.centers is not None:
        labels = {} if annotations is None else _center_texts(table, annotations)
    noise = pc.sum(pc.less(table.column("cluster"), 0)).as_py() or 0
    return Clusters(tail, place[inverse_k], number_c, found_c, queries_c, labels, noise)


def _recall(
    scores: Path, clusters: pa.Table, number_c: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """How many texts of each cluster found their medium, of how many."""
    ranks = read_table(scores / "ranks.parquet", RANKS, ["query_id", "direction", "rank"])
    rank_n = query_ranks(ranks, "text_to_media", clusters.column("sample_id"))
    scored_n = ~np.isnan(rank_n)
    if not scored_n.any():
        return None, None
    order = np.argsort(number_c)
    place_n = order[np.searchsorted(number_c[order], clusters.column("cluster").to_numpy())]
    found_n = rank_n <= FOUND_WITHIN
    return np.bincount(place_n[found_n], minlength=len(number_c)), np.bincount(
        place_n[scored_n], minlength=len(number_c)
    )


def _center_texts(clusters: pa.Table, annotations: Path) -> dict[int, tuple[list[str], list[str]]]:
    """The text of each sample by the number of its neighborhood."""
    table = read_annotations(annotations)
    rows = pc.index_in(clusters.column("sample_id"), table.column("sample_id"))
    texts = table.column("text").take(rows).to_pylist()
    numbers = clusters.column("cluster").to_pylist()
    return {number: ([], [text]) for number, text in zip(numbers, texts, strict=True) if text is not None}


def _name(number: int) -> str:
    return "noise" if number < 0 else str(number)
