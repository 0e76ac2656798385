"""Protocol ``ek100``: EPIC-KITCHENS-100 multi-instance retrieval with graded relevancy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.scores.bootstrap import RESAMPLES, summarise
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.graded import graded_scores_both_ways
from pipelines.scores.graded_block import GradedScores
from pipelines.scores.queries import QueryScores
from pipelines.scores.ranks import BLOCK_BYTES, Ties
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import DenseScores, EmbeddingScores, IntArray
from pipelines.scores.thirds import frequency_edges, frequency_third


def score_ek100(
    scores: EmbeddingScores | DenseScores,
    relevancy: Relevancy,
    text_media_index: NDArray[np.integer[Any]],
    *,
    cluster_size: NDArray[Any] | None = None,
    tail_class: NDArray[np.bool_] | None = None,
    ties: Ties = "index",
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> Evaluation:
    """mAP, binary mAP and nDCG of n clips and m sentences, both directions and their mean, in percent.

    Every clip and every sentence is a query; see `graded_scores` for the measures. A query without an item of
    relevancy 1 is left out of both mAP and counted in ``metrics()["left_out"]``. A sentence belongs to the clip that
    its ``narration_id`` names: it has that clip's cluster size and class, and the bootstrap draws them together. The
    clips are the samples that the edges divide into thirds.

    Examples:
        >>> relevancy = class_relevancy(verb_class, all_noun_classes, clip_of_sentence)
        >>> scores = EmbeddingScores(clip_embeddings, sentence_embeddings)
        >>> score_ek100(scores, relevancy, clip_of_sentence).metrics()["scores"]["overall"]["mean"]["nDCG"]
        {'value': 66.5, 'low': 66.1, 'high': 66.9}

    Args:
        scores: Similarities of n clips and m sentences.
        relevancy: Their relevancies, from `class_relevancy`.
        text_media_index: Row of the clip that each sentence's ``narration_id`` names, shape ``(m,)``.
        cluster_size: Training cluster size of each clip, shape ``(n,)``; without it there are no thirds.
        tail_class: Whether each clip is of one of the official tail classes, shape ``(n,)``; with it the queries of
            such classes are also scored by themselves, as segment ``tail_classes``.
        ties: ``index``, ``optimistic`` or ``pessimistic``, see `graded_scores`.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Seed of the bootstrap.
        block_bytes: Memory bound of a block in bytes. It changes no score.

    Raises:
        InputError: Shapes that don't fit, or NaN in the similarities.

    Source:
        Damen et al., Rescaling Egocentric Vision (2022), and the code of its retrieval challenge.
    """
    clips, sentences = scores.shape
    index_m = np.asarray(text_media_index, dtype=np.int64)
    if index_m.shape != (sentences,) or not ((index_m >= 0) & (index_m < clips)).all():
        raise InputError(f"{sentences} sentences need one clip row each, from 0 to {clips - 1}")
    for name, given_n in (("cluster sizes", cluster_size), ("marks of tail classes", tail_class)):
        if given_n is not None and len(given_n) != clips:
            raise InputError(f"{clips} clips but {len(given_n)} {name}: give one per clip")
    edges = None if cluster_size is None else frequency_edges(cluster_size)
    to_text, to_media = graded_scores_both_ways(scores, relevancy, ties=ties, block_bytes=block_bytes)
    queries = {
        "text_to_media": _query_scores(to_media, index_m, cluster_size, edges, tail_class),
        "media_to_text": _query_scores(to_text, np.arange(clips), cluster_size, edges, tail_class),
    }
    summary = summarise(queries, resamples=resamples, seed=seed)
    return Evaluation(protocol="ek100", ties=ties, queries=queries, scores=summary, edges=edges)


def _query_scores(
    graded: GradedScores,
    clip_q: IntArray,
    size_n: NDArray[Any] | None,
    edges: tuple[float, float] | None,
    tail_class_n: NDArray[np.bool_] | None,
) -> QueryScores:
    size_q = None if size_n is None else np.asarray(size_n, dtype=np.float64)[clip_q]
    return QueryScores(
        query=np.arange(len(clip_q)),
        group=clip_q,
        values={
            "mAP": graded.average_precision,
            "mAP_binary": graded.average_precision_binary,
            "nDCG": graded.ndcg,
        },
        tied=graded.tied,
        fold=np.zeros(len(clip_q), dtype=np.int64),
        cluster_size=size_q,
        third=None if size_q is None or edges is None else frequency_third(size_q, edges),
        tail_class=None if tail_class_n is None else tail_class_n[clip_q],
    )
