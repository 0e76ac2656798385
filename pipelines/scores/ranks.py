"""Ranks of the positives, both directions in one pass over blocks of the similarities."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.scores.similarity import FloatArray, IntArray, ScoreSource, block_edge

Ties = Literal["index", "optimistic", "pessimistic"]
BLOCK_BYTES = 128 * 2**20


@dataclass(frozen=True, eq=False)
class QueryRanks:
    """Ranks of q queries.

    Attributes:
        query: Row of each query on its own side, ascending, int64 of shape ``(q,)``.
        rank: Rank of its best positive, 1 for the best, int64 of shape ``(q,)``.
        tied: Whether an item that is no positive ties with that positive, so that the rank depends on the rule for
            ties; bool of shape ``(q,)``.
    """

    query: IntArray
    rank: IntArray
    tied: NDArray[np.bool_]


def retrieval_ranks(
    source: ScoreSource,
    media_p: IntArray,
    text_p: IntArray,
    *,
    ties: Ties = "index",
    block_bytes: int = BLOCK_BYTES,
) -> tuple[QueryRanks, QueryRanks]:
    """Rank every text's media and every medium's texts.

    Where a query has several positives the best-ranked one counts. A rank is 1 + the items strictly better + those
    of the items tied with the positive that the rule puts first: ``index``, the tied items of a lower index;
    ``optimistic``, none; ``pessimistic``, all. Tied items that are positives of the query themselves don't count.

    Args:
        source: Similarities of n media and m texts.
        media_p: Media of the p positive pairs, shape ``(p,)``.
        text_p: Texts of the p positive pairs, shape ``(p,)``.
        ties: The rule for ties.
        block_bytes: Memory bound of a block in bytes. It changes no rank.

    Returns:
        Text-to-media ranks (one query a text that has a positive) and media-to-text ranks (one a medium that has).

    Raises:
        InputError: A pair outside the matrix, no pair at all, an unknown rule for ties, or NaN in the similarities.
    """
    if ties not in get_args(Ties):
        raise InputError(f"ties={ties!r} is no rule for ties: use one of {', '.join(get_args(Ties))}")
    media_count, text_count = source.shape
    media_p, text_p = _checked_pairs(media_p, text_p, media_count, text_count)
    score_p = source.pairs(media_p, text_p)
    to_text = _RankCounter(media_p, text_p, score_p, media_count)
    to_media = _RankCounter(text_p, media_p, score_p, text_count)
    edge = block_edge(source, block_bytes)
    for row in range(0, media_count, edge):
        for column in range(0, text_count, edge):
            block_nm = source.block(slice(row, row + edge), slice(column, column + edge))
            to_text.add(block_nm, row, column)
            to_media.add(block_nm.T, column, row)
    return to_media.ranks(ties), to_text.ranks(ties)


class _RankCounter:
    """Counts, over the blocks, the items that beat each query's best positive and those that tie with it."""

    def __init__(self, query_p: IntArray, item_p: IntArray, score_p: FloatArray, queries: int) -> None:
        order = np.lexsort((item_p, -score_p, query_p))
        self.query, first = np.unique(query_p[order], return_index=True)
        # A query without positives gets a threshold that nothing reaches.
        self.score_q = np.full(queries, np.inf, dtype=score_p.dtype)
        self.item_q = np.full(queries, -1, dtype=np.int64)
        self.score_q[self.query] = score_p[order][first]
        self.item_q[self.query] = item_p[order][first]
        own = score_p == self.score_q[query_p]
        self.tied_q = -np.bincount(query_p[own], minlength=queries)
        self.better_q = np.zeros(queries, dtype=np.int64)
        self.tied_before_q = np.zeros(queries, dtype=np.int64)

    def add(self, block_qi: FloatArray, query_start: int, item_start: int) -> None:
        queries, items = block_qi.shape
        part = slice(query_start, query_start + queries)
        score_q, item_q = self.score_q[part], self.item_q[part]
        better_q = np.count_nonzero(block_qi > score_q[:, None], axis=1)
        tied_q = np.count_nonzero(block_qi >= score_q[:, None], axis=1) - better_q
        self.better_q[part] += better_q
        self.tied_q[part] += tied_q
        self.tied_before_q[part] += np.where(item_q >= item_start + items, tied_q, 0)
        inside = np.flatnonzero((item_q > item_start) & (item_q < item_start + items) & (tied_q > 1))
        if len(inside):
            before_qi = np.arange(item_start, item_start + items) < item_q[inside, None]
            tie_qi = block_qi[inside] == score_q[inside, None]
            self.tied_before_q[query_start + inside] += np.count_nonzero(tie_qi & before_qi, axis=1)

    def ranks(self, ties: Ties) -> QueryRanks:
        ahead = {"index": self.tied_before_q, "optimistic": np.zeros_like(self.tied_q), "pessimistic": self.tied_q}
        rank_q = 1 + self.better_q + ahead[ties]
        return QueryRanks(self.query, rank_q[self.query], self.tied_q[self.query] > 0)


def _checked_pairs(
    media_p: NDArray[np.integer[Any]], text_p: NDArray[np.integer[Any]], media_count: int, text_count: int
) -> tuple[IntArray, IntArray]:
    """The pairs as int64, each once."""
    if not len(media_p):
        raise InputError("there is no pair of a medium and a text: nothing can be ranked without positives")
    for side, index_p, count in (("media", media_p, media_count), ("text", text_p, text_count)):
        if index_p.min() < 0 or index_p.max() >= count:
            raise InputError(
                f"positive pairs name {side} row {int(index_p.min() if index_p.min() < 0 else index_p.max())}, "
                f"but there are {count} {side} rows: number them from 0 to {count - 1}"
            )
    flat = np.unique(np.asarray(media_p, dtype=np.int64) * text_count + text_p)
    return flat // text_count, flat % text_count
