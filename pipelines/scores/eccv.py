"""Protocol ``eccv``: MSCOCO's 5K test split scored with the ground truths of MSCOCO itself, CxC and ECCV Caption."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.scores.bootstrap import RESAMPLES, summarise
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import RECALL_AT, QueryScores
from pipelines.scores.ranks import BLOCK_BYTES, QueryRanks, Ties, best_ranks, positive_ranks, retrieval_ranks
from pipelines.scores.similarity import EmbeddingScores, FloatArray, IntArray
from pipelines.scores.thirds import frequency_edges, frequency_third, media_sizes

Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Positives:
    """What counts as found, for the queries of one direction.

    Attributes:
        query: Query of each of the p positives, shape ``(p,)``.
        item: Item of each, shape ``(p,)``.
        count: How many positives each query has, shape ``(queries,)``, 0 where it is none of the ground truth's
            queries. It may exceed those listed: a positive outside the gallery counts, and is never found.
    """

    query: IntArray
    item: IntArray
    count: IntArray


@dataclass(frozen=True, eq=False)
class CocoTruth:
    """The ground truths of n images and m captions; positives by direction, ``text_to_media`` and ``media_to_text``.

    Attributes:
        text_media_index: Image of each caption, MSCOCO's own ground truth, shape ``(m,)``.
        fold: Fold of each image for the scores on 1,000 images, shape ``(n,)``.
        cxc: Positives of CxC.
        eccv: Positives of ECCV Caption.
    """

    text_media_index: IntArray
    fold: IntArray
    cxc: dict[str, Positives]
    eccv: dict[str, Positives]


def score_eccv(
    media_nd: FloatArray,
    text_md: FloatArray,
    truth: CocoTruth,
    *,
    cluster_size: NDArray[Any] | None = None,
    ties: Ties = "index",
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> Evaluation:
    """Score n images against m captions in both directions, in percent.

    For a query with R positives, of which k are found at the ranks ``r_1 < ... < r_k <= R``:

    - ``eccv_mAP@R``: ``(1/r_1 + 2/r_2 + ... + k/r_k) / R``, and ``eccv_R-Precision``: ``k / R``.
    - ``recall@K`` (MSCOCO's own pairs), ``cxc_recall@K``, ``eccv_recall@1``: whether a positive is among the K best.
    - ``coco_1k_recall@K``: the same of MSCOCO's pairs among the 1,000 images, or 5,000 captions, of the query's fold.

    A query that a ground truth has no positives for is left out of its scores and counted in
    ``metrics()["left_out"]``: ECCV Caption has 1,332 captions and 1,261 images. The bootstrap draws images, each with
    its captions; a score on 1,000 images is the mean over all queries, each ranked in its own fold.

    Args:
        media_nd: Image embeddings, shape ``(n, d)``.
        text_md: Caption embeddings, shape ``(m, d)``.
        truth: The ground truths.
        cluster_size: Training cluster size of each caption, shape ``(m,)``; an image has the mean of its captions'.
            Without it there are no thirds.
        ties: ``index``, ``optimistic`` or ``pessimistic``, see `retrieval_ranks`.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Seed of the bootstrap.
        block_bytes: Memory bound of a block of similarities in bytes. It changes no score.

    Raises:
        InputError: NaN or infinite embeddings, or an unknown rule for ties.

    Source:
        Chun et al., ECCV Caption (2022), for the measures; Parekh et al., Crisscrossed Captions (2021), for CxC.
    """
    options: dict[str, Any] = {"ties": ties, "block_bytes": block_bytes}
    index_m = truth.text_media_index
    size_of: dict[str, NDArray[np.float64]] = {}
    edges = None
    if cluster_size is not None:
        size_m = np.asarray(cluster_size, dtype=np.float64)
        size_of = {"text_to_media": size_m, "media_to_text": media_sizes(size_m, index_m, len(media_nd))}
        edges = frequency_edges(size_m)
    of_5k = _own_pairs(media_nd, text_md, index_m, np.zeros(len(media_nd), dtype=np.int64), options)
    of_1k = _own_pairs(media_nd, text_md, index_m, truth.fold, options)
    queries = {}
    for direction, group in (("text_to_media", index_m), ("media_to_text", np.arange(len(media_nd)))):
        query_nd, item_nd = (text_md, media_nd) if direction == "text_to_media" else (media_nd, text_md)
        eccv, eccv_tied = _eccv(query_nd, item_nd, truth.eccv[direction], options)
        cxc, cxc_tied = _cxc(query_nd, item_nd, truth.cxc[direction], options)
        size_q = size_of.get(direction)
        queries[direction] = QueryScores(
            query=np.arange(len(group)),
            group=group,
            values={
                **eccv,
                **cxc,
                **_recalls("recall", of_5k[direction].rank),
                **_recalls("coco_1k_recall", of_1k[direction].rank),
            },
            tied=eccv_tied | cxc_tied | of_5k[direction].tied | of_1k[direction].tied,
            fold=np.zeros(len(group), dtype=np.int64),
            cluster_size=size_q,
            third=None if size_q is None or edges is None else frequency_third(size_q, edges),
        )
    scores = summarise(queries, resamples=resamples, seed=seed)
    return Evaluation(protocol="eccv", ties=ties, queries=queries, scores=scores, edges=edges)


def _own_pairs(
    media_nd: FloatArray, text_md: FloatArray, index_m: IntArray, fold_n: IntArray, options: dict[str, Any]
) -> dict[str, QueryRanks]:
    """Ranks by MSCOCO's own pairs, each fold by itself; every caption and every image is a query."""
    ranks = {
        "text_to_media": QueryRanks(np.arange(len(text_md)), *_unranked(len(text_md))),
        "media_to_text": QueryRanks(np.arange(len(media_nd)), *_unranked(len(media_nd))),
    }
    for fold in np.unique(fold_n):
        media_rows, text_rows = np.flatnonzero(fold_n == fold), np.flatnonzero(fold_n[index_m] == fold)
        source = EmbeddingScores(media_nd[media_rows], text_md[text_rows])
        media_p = np.searchsorted(media_rows, index_m[text_rows])
        found = retrieval_ranks(source, media_p, np.arange(len(text_rows)), **options)
        for of, rows, part in zip(ranks.values(), (text_rows, media_rows), found, strict=True):
            of.rank[rows[part.query]], of.tied[rows[part.query]] = part.rank, part.tied
    return ranks


def _cxc(
    query_nd: FloatArray, item_nd: FloatArray, positives: Positives, options: dict[str, Any]
) -> tuple[Values, NDArray[np.bool_]]:
    rank, tied = np.full(len(query_nd), np.nan), np.zeros(len(query_nd), dtype=bool)
    best = best_ranks(EmbeddingScores(query_nd, item_nd), positives.query, positives.item, **options)
    rank[best.query], tied[best.query] = best.rank, best.tied
    return _recalls("cxc_recall", rank), tied


def _eccv(
    query_nd: FloatArray, item_nd: FloatArray, positives: Positives, options: dict[str, Any]
) -> tuple[Values, NDArray[np.bool_]]:
    queries, count = np.flatnonzero(positives.count), positives.count[positives.count > 0]
    query = np.searchsorted(queries, positives.query)
    rank, tied_p = positive_ranks(EmbeddingScores(query_nd[queries], item_nd), query, positives.item, **options)
    order = np.lexsort((rank, query))
    query, rank, tied_p = query[order], rank[order], tied_p[order]
    nth = np.arange(len(query)) - np.searchsorted(query, query) + 1
    within = rank <= count[query]
    found = np.bincount(query[within], minlength=len(queries))
    precision = np.bincount(query[within], nth[within] / rank[within], len(queries))
    best = np.bincount(query[rank == 1], minlength=len(queries))
    values = {"eccv_mAP@R": precision / count, "eccv_R-Precision": found / count, "eccv_recall@1": best}
    tied = np.zeros(len(query_nd), dtype=bool)
    tied[queries[query[tied_p]]] = True
    return {name: _spread(100 * value, queries, len(query_nd)) for name, value in values.items()}, tied


def _recalls(name: str, rank_q: NDArray[Any]) -> Values:
    """Recall@K of single queries, NaN where there is no rank."""
    return {f"{name}@{k}": np.where(np.isnan(rank_q), np.nan, 100.0 * (rank_q <= k)) for k in RECALL_AT}


def _spread(value: NDArray[Any], rows: IntArray, count: int) -> NDArray[np.float64]:
    spread = np.full(count, np.nan)
    spread[rows] = value
    return spread


def _unranked(count: int) -> tuple[IntArray, NDArray[np.bool_]]:
    return np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
