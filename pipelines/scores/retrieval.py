"""Protocols ``pairs`` and ``captions``: Recall@K, median and mean rank of an image-text or video-text retrieval."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.matrix import take
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.scores.bootstrap import RESAMPLES, summarise
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import QueryScores
from pipelines.scores.ranks import BLOCK_BYTES, QueryRanks, Ties, retrieval_ranks
from pipelines.scores.similarity import EmbeddingMatrix, EmbeddingScores, IntArray
from pipelines.scores.thirds import frequency_edges, frequency_third, media_sizes

Protocol = Literal["pairs", "captions"]


def score_retrieval(
    media_nd: EmbeddingMatrix,
    text_md: EmbeddingMatrix,
    text_media_index: NDArray[np.integer[Any]],
    *,
    protocol: Protocol = "captions",
    cluster_size: NDArray[Any] | None = None,
    ties: Ties = "index",
    folds: int = 1,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
    normalize: bool = True,
    distractors: bool = False,
    progress: Progress = SILENT,
) -> Evaluation:
    """Score n media against m texts in both directions.

    Text to media: one query a text, one positive. Media to text: one query a medium that has a text; the best rank
    among its own texts counts. A medium's cluster size is the mean over its texts, and its third follows from the
    same edges, which divide the texts (the samples) into thirds.

    Examples:
        >>> evaluation = score_retrieval(image_embeddings, caption_embeddings, image_of_caption)
        >>> evaluation.metrics()["scores"]["overall"]["text_to_media"]["recall@1"]
        {'value': 22.2, 'low': 21.1, 'high': 23.4}

    Args:
        media_nd: Media embeddings, shape ``(n, d)``.
        text_md: Text embeddings, shape ``(m, d)``.
        text_media_index: Row of each text's medium, shape ``(m,)``.
        protocol: ``captions``, any number of texts per medium, or ``pairs``, exactly one.
        cluster_size: Training cluster size of each text, shape ``(m,)``; without it there are no thirds.
        ties: ``index``, ``optimistic`` or ``pessimistic``, see `retrieval_ranks`.
        folds: Contiguous folds of the media, each ranked by itself, whose scores are averaged; 5 for MSCOCO-1K.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Seed of the bootstrap.
        block_bytes: Memory bound of a block of similarities in bytes. It changes no score.
        normalize: Divide embeddings by their lengths first.
        distractors: Allow media without a text in protocol ``pairs`` too: they are found, but are no queries.
        progress: Where to report.

    Raises:
        InputError: Shapes that don't fit, NaN or infinite embeddings, folds that don't divide the media, or
            ``pairs`` on data that is not one to one.

    Source:
        Karpathy and Fei-Fei, Deep Visual-Semantic Alignments (2015), for the protocol on Flickr30K and MSCOCO.
    """
    index_m = _checked_index(len(media_nd), len(text_md), text_media_index, protocol, folds, distractors)
    fold_size = len(media_nd) // folds
    parts: list[tuple[QueryRanks, QueryRanks]] = []
    for fold in range(folds):
        media_rows = np.arange(fold * fold_size, (fold + 1) * fold_size)
        text_rows = np.flatnonzero(index_m // fold_size == fold)
        source = EmbeddingScores(take(media_nd, media_rows), take(text_md, text_rows), normalize=normalize)
        to_media, to_text = retrieval_ranks(
            source,
            index_m[text_rows] - media_rows[0],
            np.arange(len(text_rows)),
            ties=ties,
            block_bytes=block_bytes,
            progress=progress,
        )
        parts.append(
            (
                QueryRanks(text_rows[to_media.query], to_media.rank, to_media.tied),
                QueryRanks(media_rows[to_text.query], to_text.rank, to_text.tied),
            )
        )
    text_size = None if cluster_size is None else np.asarray(cluster_size, dtype=np.float64)
    media_size = None if text_size is None else media_sizes(text_size, index_m, len(media_nd))
    edges = None if text_size is None else frequency_edges(text_size)
    texts, media = (_joined([part[side] for part in parts]) for side in (0, 1))
    queries = {
        "text_to_media": _query_scores(texts, index_m[texts.query], fold_size, text_size, edges),
        "media_to_text": _query_scores(media, media.query, fold_size, media_size, edges),
    }
    scores = summarise(queries, resamples=resamples, seed=seed)
    return Evaluation(protocol=protocol, ties=ties, queries=queries, scores=scores, edges=edges)


def _query_scores(
    ranks: QueryRanks,
    group: IntArray,
    fold_size: int,
    size: NDArray[np.float64] | None,
    edges: tuple[float, float] | None,
) -> QueryScores:
    query_size = None if size is None else size[ranks.query]
    return QueryScores(
        query=ranks.query,
        group=group,
        values={"rank": ranks.rank},
        tied=ranks.tied,
        fold=group // fold_size,
        cluster_size=query_size,
        third=None if query_size is None or edges is None else frequency_third(query_size, edges),
    )


def _joined(parts: list[QueryRanks]) -> QueryRanks:
    """Folds one after the other, then in the order of the queries."""
    query = np.concatenate([part.query for part in parts])
    order = np.argsort(query)
    rank = np.concatenate([part.rank for part in parts])
    tied = np.concatenate([part.tied for part in parts])
    return QueryRanks(query[order], rank[order], tied[order])


def _checked_index(
    media_count: int,
    text_count: int,
    text_media_index: NDArray[np.integer[Any]],
    protocol: str,
    folds: int,
    distractors: bool,
) -> IntArray:
    if protocol not in get_args(Protocol):
        raise InputError(f"protocol {protocol!r} is unknown: use one of {', '.join(get_args(Protocol))}")
    index_m = np.asarray(text_media_index, dtype=np.int64)
    if index_m.shape != (text_count,):
        raise InputError(f"{text_count} texts but {index_m.shape} media indices: give the media row of every text")
    bad = np.flatnonzero((index_m < 0) | (index_m >= media_count))
    if len(bad):
        raise InputError(
            f"text row {bad[0]} names media row {index_m[bad[0]]} ({len(bad)} such texts), but there are {media_count} "
            f"media: number them from 0 to {media_count - 1}"
        )
    if folds < 1 or media_count % folds:
        raise InputError(f"{folds} folds don't divide {media_count} media: choose a divisor")
    texts_n = np.bincount(index_m, minlength=media_count)
    unpaired = np.flatnonzero((texts_n > 1) | (texts_n < (0 if distractors else 1)))
    if protocol == "pairs" and len(unpaired):
        media = int(unpaired[0])
        raise InputError(
            f"protocol pairs needs one text per medium, but media row {media} has {texts_n[media]}: "
            "use protocol captions"
        )
    return index_m
