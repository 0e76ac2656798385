"""Ranks of the positives, both directions in one pass over blocks of the similarities."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.blas import one_blas_thread
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.scores.similarity import FloatArray, IntArray, ScoreSource, block_edge

Ties = Literal["index", "optimistic", "pessimistic"]
BLOCK_BYTES = 256 * 2**20
WORKERS = 2  # blocks at once
PAIRS_FACTOR = 32  # a score by itself takes the time of so many in a product
QUERIES_AT_ONCE = 256  # comparisons of so many rows of a block stay within the cache


@dataclass(frozen=True, eq=False)
class QueryRanks:
    """Ranks of q queries.

    Attributes:
        query: Row of each query on its own side, ascending, int64 of shape ``(q,)``.
        rank: Rank of its best positive, 1 for the best, int64 of shape ``(q,)``.
        tied: Whether an item that is not a positive ties with that positive, so that the rank depends on the rule for
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
    progress: Progress = SILENT,
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
        progress: Where to report.

    Returns:
        Text-to-media ranks (one query a text that has a positive) and media-to-text ranks (one a medium that has).

    Raises:
        InputError: A pair outside the matrix, no pair at all, an unknown rule for ties, or NaN in the similarities.
    """
    check_rule(ties)
    media_count, text_count = source.shape
    media_p, text_p = _checked_pairs(media_p, text_p, media_count, text_count)
    score_p = source.pairs(media_p, text_p)
    to_text, to_media = _BestPositives(media_p, text_p, score_p), _BestPositives(text_p, media_p, score_p)
    _count(source, [to_text], [to_media], block_bytes, progress)
    return to_media.ranks(ties), to_text.ranks(ties)


def best_ranks(
    source: ScoreSource,
    query_p: IntArray,
    item_p: IntArray,
    *,
    ties: Ties = "index",
    block_bytes: int = BLOCK_BYTES,
    progress: Progress = SILENT,
) -> QueryRanks:
    """`retrieval_ranks` of one direction: the rank of each query's best positive.

    Args:
        source: Similarities, queries as rows.
        query_p: Query of each of the p positives, shape ``(p,)``.
        item_p: Item of each, shape ``(p,)``; no pair twice.
        ties: The rule for ties.
        block_bytes: Memory bound of a block in bytes. It changes no rank.
        progress: Where to report.

    Raises:
        InputError: An unknown rule for ties, or NaN in the similarities.
    """
    check_rule(ties)
    counter = _BestPositives(query_p, item_p, source.pairs(query_p, item_p))
    _count(source, [counter], [], block_bytes, progress)
    return counter.ranks(ties)


def positive_ranks(
    source: ScoreSource,
    query_p: IntArray,
    item_p: IntArray,
    *,
    ties: Ties = "index",
    block_bytes: int = BLOCK_BYTES,
    progress: Progress = SILENT,
) -> tuple[IntArray, NDArray[np.bool_]]:
    """Rank of every positive among all items, where `best_ranks` gives that of a query's best one.

    Tied positives of one query come one after the other, in the order of their indices; before or after the other
    items tied with them as the rule says.

    Args:
        source: Similarities, queries as rows.
        query_p: Query of each of the p positives, shape ``(p,)``.
        item_p: Item of each, shape ``(p,)``; no pair twice.
        ties: The rule for ties, see `retrieval_ranks`.
        block_bytes: Memory bound of a block in bytes. It changes no rank.
        progress: Where to report.

    Returns:
        The ranks, from 1, and whether an item that is not a positive of the query ties with the positive; both have
        shape ``(p,)``.

    Raises:
        InputError: An unknown rule for ties, or NaN in the similarities.
    """
    check_rule(ties)
    order = np.lexsort((item_p, query_p))
    query, item = query_p[order], item_p[order]
    score = source.pairs(query, item)
    nth = np.arange(len(query)) - np.searchsorted(query, query)
    # One counter for the first positives of all queries, one for their second ones, and so on.
    parts = [np.flatnonzero(nth == place) for place in range(int(nth.max(initial=-1)) + 1)]
    counters = [_RankCounter(query[part], item[part], score[part]) for part in parts]
    _count(source, counters, [], block_bytes, progress)
    before, others = _tied_positives(query, score)
    rank, tied = np.empty_like(query), np.empty_like(query)
    for part, counter in zip(parts, counters, strict=True):
        tied[part] = counter.tied_q - 1 - others[part]
        ahead = {"index": counter.tied_before_q, "optimistic": before[part], "pessimistic": tied[part] + before[part]}
        rank[part] = 1 + counter.better_q + ahead[ties]
    back = np.argsort(order)
    return rank[back], tied[back] > 0


def _tied_positives(query_p: IntArray, score_p: FloatArray) -> tuple[IntArray, IntArray]:
    """How many positives of the same query have the same score as each: those before it, and all but itself."""
    order = np.lexsort((score_p, query_p))  # stable: tied positives stay in the order of their items
    query, score = query_p[order], score_p[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (query[1:] != query[:-1]) | (score[1:] != score[:-1])
    first = np.flatnonzero(new)
    size = np.diff(first, append=len(order))
    before, others = np.empty_like(query_p), np.empty_like(query_p)
    before[order] = np.arange(len(order)) - np.repeat(first, size)
    others[order] = np.repeat(size, size) - 1
    return before, others


def _count(
    source: ScoreSource,
    of_rows: "list[_RankCounter]",
    of_columns: "list[_RankCounter]",
    block_bytes: int,
    progress: Progress,
) -> None:
    """One pass over the similarities in blocks, for counters of queries that are rows and of some that are columns."""
    edge = block_edge(source, block_bytes // WORKERS)
    rows, columns = source.shape
    flipped = source.transposed()

    def count(block: tuple[int, int]) -> int:
        row, column = block
        rough_nm, slack = source.rough(slice(row, row + edge), slice(column, column + edge))
        for counter in of_rows:
            counter.add(source, rough_nm, slack, row, column)
        for counter in of_columns:
            counter.add(flipped, rough_nm.T, slack, column, row)
        return rough_nm.size

    blocks = list(itertools.product(range(0, rows, edge), range(0, columns, edge)))
    with progress.task("ranking", rows * columns, "scores") as task, contextlib.ExitStack() as stack:
        work: Callable[..., Iterable[int]] = map
        if len(blocks) > 1:  # each worker makes its own products, or those of both wait for each other
            stack.enter_context(one_blas_thread())
            work = stack.enter_context(ThreadPoolExecutor(WORKERS)).map
        for size in work(count, blocks):
            task.advance(size)


class _RankCounter:
    """Counts, over the blocks, the items that beat one positive of each query and those that tie with it.

    Rough scores decide where they are further from the positive's than their slack; the others are looked up exactly,
    one by one where they are few.

    Args:
        query_q: The queries, ascending, each once; rows of the blocks that aren't among them cost nothing.
        item_q: The positive of each.
        score_q: Its score.
    """

    def __init__(self, query_q: IntArray, item_q: IntArray, score_q: FloatArray) -> None:
        self.query, self._item_q, self._score_q = query_q, item_q, score_q
        self.better_q = np.zeros(len(query_q), dtype=np.int64)
        self.tied_q = np.zeros(len(query_q), dtype=np.int64)  # the positive itself among them
        self.tied_before_q = np.zeros(len(query_q), dtype=np.int64)
        self._lock = threading.Lock()

    def add(self, source: ScoreSource, rough_qi: FloatArray, slack: float, query_start: int, item_start: int) -> None:
        first, last = np.searchsorted(self.query, (query_start, query_start + len(rough_qi)))
        for start in range(first, last, QUERIES_AT_ONCE):
            part = slice(start, min(start + QUERIES_AT_ONCE, last))
            self._add(source, rough_qi[_rows(self.query[part] - query_start)], slack, part, item_start)

    def _add(self, source: ScoreSource, rough_qi: FloatArray, slack: float, part: slice, item_start: int) -> None:
        items = slice(item_start, item_start + rough_qi.shape[1])
        score_q, item_q = self._score_q[part], self._item_q[part]
        low_q, high_q = ((score_q + offset).astype(rough_qi.dtype) for offset in (-slack, slack))
        better_q = np.count_nonzero(rough_qi > high_q[:, None], axis=1)
        close_q = np.count_nonzero(rough_qi >= low_q[:, None], axis=1) - better_q
        own_q = (item_q >= items.start) & (item_q < items.stop)  # the positive is close to itself
        tied_q, tied_before_q = own_q.astype(np.int64), np.zeros(len(item_q), dtype=np.int64)
        rows = np.flatnonzero(close_q != own_q)
        if slack and close_q[rows].sum() * PAIRS_FACTOR < len(rows) * rough_qi.shape[1]:
            close_ri = (rough_qi[rows] >= low_q[rows, None]) & (rough_qi[rows] <= high_q[rows, None])
            row_p, column_p = np.nonzero(close_ri)
            item_p, row_p = items.start + column_p, rows[row_p]
            exact_p = source.pairs(self.query[part][row_p], item_p)
            tied_p = exact_p == score_q[row_p]
            better_q += np.bincount(row_p[exact_p > score_q[row_p]], minlength=len(item_q))
            tied_q[rows] = np.bincount(row_p[tied_p], minlength=len(item_q))[rows]
            tied_before_q += np.bincount(row_p[tied_p & (item_p < item_q[row_p])], minlength=len(item_q))
        elif len(rows):
            exact_ri = _block(source, self.query[part][rows], items) if slack else rough_qi[rows]
            tied_ri = exact_ri == score_q[rows, None]
            better_q[rows] = np.count_nonzero(exact_ri > score_q[rows, None], axis=1)
            tied_q[rows] = np.count_nonzero(tied_ri, axis=1)
            before_ri = np.arange(items.start, items.stop) < item_q[rows, None]
            tied_before_q[rows] = np.count_nonzero(tied_ri & before_ri, axis=1)
        with self._lock:  # blocks beside each other count for the same queries
            self.better_q[part] += better_q
            self.tied_q[part] += tied_q
            self.tied_before_q[part] += tied_before_q


class _BestPositives(_RankCounter):
    """The same for the best positive of each query, which the query's other positives don't rank before."""

    def __init__(self, query_p: IntArray, item_p: IntArray, score_p: FloatArray) -> None:
        order = np.lexsort((item_p, -score_p, query_p))
        query, first = np.unique(query_p[order], return_index=True)
        super().__init__(query, item_p[order][first], score_p[order][first])
        own = score_p == self._score_q[np.searchsorted(query, query_p)]
        self.tied_q -= np.bincount(np.searchsorted(query, query_p[own]), minlength=len(query))

    def ranks(self, ties: Ties) -> QueryRanks:
        return ranks_of(self.query, self.better_q, self.tied_q, self.tied_before_q, ties)


def ranks_of(query_q: IntArray, better_q: IntArray, tied_q: IntArray, before_q: IntArray, ties: Ties) -> QueryRanks:
    """The ranks that counts of the items around each query's positive make, all of shape ``(q,)``.

    Args:
        query_q: The queries.
        better_q: Items that are better.
        tied_q: Other items that are as good.
        before_q: Those of them that have a lower index.
        ties: The rule for ties.
    """
    ahead = {"index": before_q, "optimistic": np.zeros_like(tied_q), "pessimistic": tied_q}
    return QueryRanks(query_q, 1 + better_q + ahead[ties], tied_q > 0)


def _block(source: ScoreSource, query_r: IntArray, items: slice) -> FloatArray:
    """The exact scores of some queries, ascending, and items."""
    first = int(query_r[0])
    return source.block(slice(first, int(query_r[-1]) + 1), items)[query_r - first]


def _rows(row_q: IntArray) -> slice | IntArray:
    """Ascending rows as a slice where they have no gaps, which takes no copy."""
    first, last = int(row_q[0]), int(row_q[-1])
    return slice(first, last + 1) if last - first + 1 == len(row_q) else row_q


def check_rule(ties: str) -> None:
    """Refuse a rule for ties that isn't one."""
    if ties not in get_args(Ties):
        raise InputError(f"ties={ties!r} is not a rule for ties: use one of {', '.join(get_args(Ties))}")


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
