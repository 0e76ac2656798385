"""A map of the annotations: what reads alike lies together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import RANKS, align, read_annotations, read_clusters, read_table, read_vectors
from pipelines.errors import InputError
from pipelines.remote import as_path, located
from pipelines.views.classes import is_classification
from pipelines.views.found import FOUND_WITHIN, query_ranks
from pipelines.views.layout import lay_out
from pipelines.views.tail import overlap

MOST_POINTS = 100_000


@dataclass(frozen=True, eq=False)
class Map:
    """Places of n samples and what is known of each.

    Attributes:
        place_n2: Places ``(n, 2)`` without unit.
        method: How the places were found, in words.
        sample_ids: The samples.
        texts: Text of each.
        media_ids: Medium of each.
        cluster_n: Cluster of each ``(n,)``, -1 for noise; None without clusters.
        size_n: Training samples in it ``(n,)``; None without clusters.
        overlap: Whether each cluster is the neighborhood of one sample, see `pipelines.views.tail.overlap`.
        recall_n: Share of the sample's queries, its text's and its medium's, that found their own within the first 10
            ``(n,)``, NaN for what was not scored; None without scores.
        cluster_recall_n: Mean of that over the scored samples of the same cluster ``(n,)``, NaN where there are none;
            None without scores or without clusters.
        rank_n: Rank of the medium when the text is searched for ``(n,)``, NaN for what was not scored; None without
            scores.
        of: How many samples there are; more than n where a sample of them is shown.
    """

    place_n2: NDArray[np.float32]
    method: str
    sample_ids: list[str]
    texts: list[str]
    media_ids: list[str]
    cluster_n: NDArray[np.int64] | None
    size_n: NDArray[np.int64] | None
    overlap: bool
    recall_n: NDArray[np.float64] | None
    cluster_recall_n: NDArray[np.float64] | None
    rank_n: NDArray[np.float64] | None
    of: int

    def __len__(self) -> int:
        return len(self.sample_ids)


def read_map(
    embeddings: Path | str,
    annotations: Path | str,
    *,
    clusters: Path | str | None = None,
    scores: Path | str | None = None,
    most: int = MOST_POINTS,
    seed: int = 0,
) -> Map:
    """Lay out the samples of an embeddings file, or, of a features file, the first sample of each medium.

    Args:
        embeddings: Embeddings of texts, or features of media.
        annotations: Annotations of the same samples.
        clusters: Clusters file of the same samples.
        scores: Folder that ``mmts eval`` wrote.
        most: Most points; of more samples these are drawn by chance.
        seed: Seed of what is drawn and of the layout.

    Raises:
        InputError: A file can't be used, ``most`` is below 1, ``scores`` are of a classification, or samples are
            missing in one of the files.
    """
    if scores is not None and is_classification(located(scores)):
        raise InputError(f"{scores}: classifies, so nothing was searched for; score retrieval with `mmts eval`")
    if most < 1:
        raise InputError(f"{most} points: expected at least 1")
    vectors = read_vectors(embeddings)
    row_n = np.arange(len(vectors.ids))
    if len(row_n) > most:
        row_n = np.sort(np.random.default_rng(seed).choice(len(row_n), most, replace=False))
    table = _samples(located(annotations), vectors.id_column, vectors.ids.take(pa.array(row_n)))
    sample_ids = table.column("sample_id")
    cluster_n = size_n = recall_n = cluster_recall_n = rank_n = None
    overlapping = False
    if clusters is not None:
        found = read_clusters(located(clusters))
        overlapping = overlap(found.column("cluster").to_numpy(), found.column("cluster_size").to_numpy())
        rows = pa.array(align(sample_ids, found.column("sample_id"), what="samples", path=as_path(clusters)))
        cluster_n = found.column("cluster").take(rows).to_numpy().astype(np.int64)
        size_n = found.column("cluster_size").take(rows).to_numpy()
    if scores is not None:
        rank_n, recall_n = _found(as_path(scores) / "ranks.parquet", sample_ids, table.column("media_id"))
        cluster_recall_n = None if cluster_n is None else _mean_of_cluster(recall_n, cluster_n)
    place_n2, method = lay_out(vectors.matrix_nd[row_n], seed=seed)  # last: it takes a minute
    return Map(
        place_n2,
        method,
        sample_ids.to_pylist(),
        table.column("text").to_pylist(),
        table.column("media_id").to_pylist(),
        cluster_n,
        size_n,
        overlapping,
        recall_n,
        cluster_recall_n,
        rank_n,
        len(vectors.ids),
    )


def _samples(annotations: Path, id_column: str, ids: pa.ChunkedArray) -> pa.Table:
    """A row of the annotations for each id: the sample's, or the first of the medium."""
    table = read_annotations(annotations)
    if id_column == "media_id":
        encoded = table.column("media_id").dictionary_encode().combine_chunks()
        first = np.unique(encoded.indices.to_numpy(), return_index=True)[1]
        table = table.take(pa.array(first))
    what = "media" if id_column == "media_id" else "samples"
    return table.take(pa.array(align(ids, table.column(id_column), what=what, path=annotations)))


def _found(
    ranks: Path, sample_ids: pa.ChunkedArray, media_ids: pa.ChunkedArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rank of each text's medium, and the share of the sample's queries that found their own; NaN where unknown."""
    table = read_table(ranks, RANKS)
    rank_2n = [query_ranks(table, "text_to_media", sample_ids), query_ranks(table, "media_to_text", media_ids)]
    scored_n = np.sum([~np.isnan(rank_n) for rank_n in rank_2n], axis=0)
    found_n = np.sum([rank_n <= FOUND_WITHIN for rank_n in rank_2n], axis=0)
    with np.errstate(invalid="ignore"):
        return rank_2n[0], found_n / scored_n


def _mean_of_cluster(value_n: NDArray[np.float64], cluster_n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over the values of the same cluster, NaN left out."""
    _, index_n = np.unique(cluster_n, return_inverse=True)
    with np.errstate(invalid="ignore"):
        mean_k = np.bincount(index_n, np.nan_to_num(value_n)) / np.bincount(index_n, ~np.isnan(value_n))
    mean_n: NDArray[np.float64] = mean_k[index_n]
    return mean_n
