"""What was found instead, for the queries that did worst."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.scores.queries import QueryScores
from pipelines.scores.ranks import BLOCK_BYTES
from pipelines.scores.similarity import FloatArray, IntArray, ScoreSource, block_edge

MOST_MISSES = 100
FOUND_INSTEAD = 5


@dataclass(frozen=True, eq=False)
class Misses:
    """Queries, and what ranks first among the items that are wrong.

    Attributes:
        right_q: The most similar right item of each query, of equal ones the lower index; -1 where none is in its
            gallery; shape ``(q,)``.
        similarity_q: Its similarity; ``-inf`` where there is none, ``(q,)``.
        item_qk: The most similar wrong items of each, the best first, -1 where there are no more; ``(q, k)``.
        similarity_qk: Their similarities, ``(q, k)``.
    """

    right_q: IntArray
    similarity_q: NDArray[np.float64]
    item_qk: IntArray
    similarity_qk: NDArray[np.float64]


def worst_queries(queries: QueryScores, most: int = MOST_MISSES) -> IntArray:
    """Positions of the queries of each third that did worst, ascending; of all where thirds are not known.

    A query whose right item ranks first misses nothing. Queries without a rank go by the first of their scores.

    Args:
        queries: The queries of one direction.
        most: How many of each third.
    """
    if "rank" in queries.values:
        badness_q, missed_q = queries.values["rank"].astype(np.float64), queries.values["rank"] > 1
    else:
        score_q = next(iter(queries.values.values()))
        badness_q, missed_q = -score_q, score_q < 100  # False where a query is left out (NaN)
    thirds = [missed_q] if queries.third is None else [missed_q & (queries.third == third) for third in range(3)]
    rows = [np.flatnonzero(inside) for inside in thirds]
    return np.sort(np.concatenate([each[np.argsort(-badness_q[each], kind="stable")[:most]] for each in rows]))


def found_instead(
    source: ScoreSource,
    is_right: Callable[[slice], NDArray[np.bool_]],
    is_item: Callable[[slice], NDArray[np.bool_]] | None = None,
    *,
    count: int = FOUND_INSTEAD,
    block_bytes: int = BLOCK_BYTES,
) -> Misses:
    """The most similar right item and the most similar wrong ones of each query.

    Of items as similar the one of the lower index comes first.

    Args:
        source: Similarities of q queries (rows) and m items (columns).
        is_right: Which of some items are right for which query, ``(q, b)``.
        is_item: Which of some items are in the gallery of which query, ``(q, b)``; all by default.
        count: How many wrong items, k.
        block_bytes: Memory bound of the blocks in bytes.
    """
    queries, items = source.shape
    edge = block_edge(source, block_bytes)
    right_q, right_score_q = np.full(queries, -1), np.full(queries, -np.inf)
    item_qk, score_qk = np.full((queries, count), -1), np.full((queries, count), -np.inf)
    for start in range(0, items, edge):
        columns = slice(start, min(start + edge, items))
        block_qb = np.array(source.block(slice(0, queries), columns), dtype=np.float64)
        if is_item is not None:
            block_qb[~is_item(columns)] = -np.inf
        right_qb = is_right(columns)
        own_qk, own_score_qk = _first_of(np.where(right_qb, block_qb, -np.inf), 1)
        better_q = own_score_qk[:, 0] > right_score_q
        right_q[better_q], right_score_q[better_q] = start + own_qk[better_q, 0], own_score_qk[better_q, 0]
        block_qb[right_qb] = -np.inf
        best_qk, best_score_qk = _first_of(block_qb, count)
        item_qk = np.hstack([item_qk, start + best_qk])
        score_qk = np.hstack([score_qk, best_score_qk])
        order_qk = np.argsort(-score_qk, axis=1, kind="stable")[:, :count]
        item_qk, score_qk = (np.take_along_axis(each, order_qk, axis=1) for each in (item_qk, score_qk))
    return Misses(right_q, right_score_q, np.where(np.isinf(score_qk), -1, item_qk), score_qk)


def _first_of(block_qb: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """Columns of the largest values of each row, and these values, the largest first; of equal ones the lower column.

    Where a row has fewer that are finite, what follows is ``-inf``.
    """
    rest_qb = block_qb.copy()
    best, values = [], []
    for _ in range(min(count, block_qb.shape[1])):
        best.append(rest_qb.argmax(axis=1))
        place = np.arange(len(rest_qb)), best[-1]
        values.append(rest_qb[place])
        rest_qb[place] = -np.inf
    return np.stack(best, axis=1), np.stack(values, axis=1)
