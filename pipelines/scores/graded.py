"""nDCG and mean average precision of rankings with graded relevancy, in blocks of queries."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.blas import one_blas_thread
from pipelines.errors import InputError
from pipelines.scores.graded_block import BlockScorer, GradedScores
from pipelines.scores.ranks import BLOCK_BYTES, WORKERS, Ties
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import ScoreSource

BYTES_A_SCORE = 48
SCORES_IN_CACHE = 2**17
BLOCK_IN_CACHE = 2**23  # bytes of a product that the last cache still holds when it is sorted

Worse = NDArray[np.float32]


def graded_scores(
    source: ScoreSource, relevancy: Relevancy, *, ties: Ties = "index", block_bytes: int = BLOCK_BYTES
) -> GradedScores:
    """Score every row of a matrix of similarities as a query.

    For a query with k items of relevancy above 0, let r_i be the relevancy of the item at rank i:

    - nDCG: ``sum_{i<=k} r_i / log2(i + 1)``, divided by the same sum in the ideal order.
    - Average precision, as published: the mean, over the ranks i with ``r_i == 1``, of ``(r_1 + ... + r_i) / i``.
      The sum runs over fractional relevancies, so this is not the textbook measure.
    - Binary average precision: the same with ``[r_j == 1]`` summed in place of ``r_j``.

    Similarities are compared in float32. Of tied items the rule puts first the one of the lower index (``index``),
    of the higher relevancy (``optimistic``) or of the lower relevancy (``pessimistic``).

    Args:
        source: Similarities, queries as rows.
        relevancy: Relevancies, queries as rows.
        ties: The rule for ties.
        block_bytes: Memory bound of the blocks that are worked on at once, in bytes. It changes no score.

    Raises:
        InputError: The shapes differ, an unknown rule for ties, or NaN in the similarities.

    Source:
        Damen et al., Rescaling Egocentric Vision (2022), and the code of its retrieval challenge.
    """
    _check(source, relevancy, ties)
    return _score(lambda rows: _negated(source, rows), relevancy, ties, block_bytes)


def graded_scores_both_ways(
    source: ScoreSource, relevancy: Relevancy, *, ties: Ties = "index", block_bytes: int = BLOCK_BYTES
) -> tuple[GradedScores, GradedScores]:
    """The rows of a matrix as queries, then its columns: as two calls of `graded_scores`, to the last bit.

    What fits into ``block_bytes`` of the products of the first direction is kept for the second.

    Args:
        source: Similarities of n media (rows) and m texts (columns).
        relevancy: Their relevancies.
        ties: The rule for ties.
        block_bytes: Memory bound, in bytes. It changes no score.

    Raises:
        InputError: As `graded_scores`.
    """
    others, turned = source.transposed(), relevancy.transposed()
    _check(source, relevancy, ties)
    _check(others, turned, ties)
    media, texts = source.shape
    spare = block_bytes - 2 * WORKERS * BLOCK_IN_CACHE
    # Turned here, where a block is in the cache.
    kept_mk = np.empty((texts, min(media, max(0, spare // (4 * texts)))), dtype=np.float32)
    kept = kept_mk.shape[1]

    def of_media(rows: slice) -> Worse:
        worse_bm = _negated(source, rows)
        kept_mk[:, rows] = worse_bm[: max(0, kept - rows.start)].T
        return worse_bm

    def of_texts(columns: slice) -> Worse:
        if kept == media:
            return kept_mk[columns]
        return np.concatenate([kept_mk[columns], _negated(others, columns, slice(kept, media))], axis=1)

    to_texts = _score(of_media, relevancy, ties, block_bytes)
    return to_texts, _score(of_texts, turned, ties, block_bytes)


def _check(source: ScoreSource, relevancy: Relevancy, ties: Ties) -> None:
    if ties not in get_args(Ties):
        raise InputError(f"ties={ties!r} is not a rule for ties: use one of {', '.join(get_args(Ties))}")
    if relevancy.shape != source.shape:
        raise InputError(f"similarities are {source.shape}, relevancies {relevancy.shape}: give both the same shape")


def _score(worse_of: Callable[[slice], Worse], relevancy: Relevancy, ties: Ties, block_bytes: int) -> GradedScores:
    """Score all queries, where ``worse_of`` gives the negated similarities of some of them."""
    queries, items = relevancy.shape
    scorer = BlockScorer(relevancy, ties)
    block_bytes = min(BLOCK_IN_CACHE, block_bytes // (2 * WORKERS))
    at_once = min(SCORES_IN_CACHE, block_bytes // BYTES_A_SCORE) // items

    def score(rows: slice) -> list[GradedScores]:
        # Products are fastest in large blocks, sorting within the second cache.
        worse_qi = worse_of(rows)
        parts = _slices(rows.start, rows.stop, at_once)
        return [scorer(worse_qi[part.start - rows.start : part.stop - rows.start], part) for part in parts]

    # Each worker makes products by itself: threads that share one wait for each other, for long on a busy machine.
    with one_blas_thread(), ThreadPoolExecutor(WORKERS) as pool:
        scored = list(pool.map(score, _slices(0, queries, block_bytes // (8 * items))))
    parts = [part for block in scored for part in block]
    columns = zip(*((p.ndcg, p.average_precision, p.average_precision_binary, p.tied) for p in parts), strict=True)
    ndcg, published, binary, tied = (np.concatenate(column) for column in columns)
    return GradedScores(ndcg, published, binary, tied)


def _negated(source: ScoreSource, rows: slice, columns: slice | None = None) -> Worse:
    """The similarities of some rows, in float32, the highest as the lowest; a zero has no sign."""
    block_qi = source.block(rows, columns or slice(0, source.shape[1]))
    return np.subtract(0, block_qi, dtype=np.float32, order="C", casting="same_kind")


def _slices(start: int, stop: int, step: int) -> list[slice]:
    step = max(1, step)
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]
