"""nDCG and mean average precision of rankings with graded relevancy, in blocks of queries."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.blas import one_blas_thread
from pipelines.errors import InputError
from pipelines.scores.ranks import BLOCK_BYTES, WORKERS, Ties
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import FloatArray, IntArray, ScoreSource

UPPER_AND_LOWER = (1, 0) if sys.byteorder == "little" else (0, 1)
BYTES_A_SCORE = 48
SCORES_IN_CACHE = 2**17
BLOCK_IN_CACHE = 2**23  # bytes of a product that the last cache still holds when it is sorted
CODE_BITS = 12
CODE_MASK = np.uint16(2**CODE_BITS - 1)
MOST_ITEMS = 2 ** (31 - CODE_BITS)


@dataclass(frozen=True, eq=False)
class GradedScores:
    """Measures of q queries, each of shape ``(q,)``.

    Attributes:
        ndcg: Normalised discounted cumulative gain, 0-100, NaN for a query without relevant items.
        average_precision: Average precision as published for EK-100, 0-100, NaN without items of relevancy 1.
        average_precision_binary: Textbook average precision, 0-100, NaN without items of relevancy 1.
        tied: Whether items of different relevancy tie.
    """

    ndcg: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    average_precision_binary: NDArray[np.float64]
    tied: NDArray[np.bool_]


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
        InputError: The shapes differ, an unknown rule for ties, more than 2**19 items, or NaN in the similarities.

    Source:
        Damen et al., Rescaling Egocentric Vision (2022), and the code of its retrieval challenge.
    """
    if ties not in get_args(Ties):
        raise InputError(f"ties={ties!r} is not a rule for ties: use one of {', '.join(get_args(Ties))}")
    queries, items = source.shape
    if relevancy.shape != source.shape:
        raise InputError(f"similarities are {source.shape}, relevancies {relevancy.shape}: give both the same shape")
    if items > MOST_ITEMS:
        raise InputError(f"{items} items are too many for graded relevancy: at most {MOST_ITEMS}")
    scorer = _BlockScorer(relevancy, ties)
    block_bytes = min(BLOCK_IN_CACHE, block_bytes // (2 * WORKERS))
    at_once = min(SCORES_IN_CACHE, block_bytes // BYTES_A_SCORE) // items

    def score(rows: slice) -> list[GradedScores]:
        # Products are fastest in large blocks, sorting within the second cache.
        block_qi = source.block(rows, slice(0, items))
        parts = _slices(rows.start, rows.stop, at_once)
        return [scorer(block_qi[part.start - rows.start : part.stop - rows.start], part) for part in parts]

    # Each worker makes products by itself: threads that share one wait for each other, for long on a busy machine.
    with one_blas_thread(), ThreadPoolExecutor(WORKERS) as pool:
        scored = list(pool.map(score, _slices(0, queries, block_bytes // (8 * items))))
    parts = [part for block in scored for part in block]
    columns = zip(*((p.ndcg, p.average_precision, p.average_precision_binary, p.tied) for p in parts), strict=True)
    ndcg, published, binary, tied = (np.concatenate(column) for column in columns)
    return GradedScores(ndcg, published, binary, tied)


class _BlockScorer:
    """What all blocks share: grades, discounts, and the ideal gain of each distinct row of relevancies."""

    def __init__(self, relevancy: Relevancy, ties: Ties) -> None:
        items = relevancy.shape[1]
        self._relevancy = relevancy
        self._ties = ties
        counts_kg = relevancy.counts()
        self._relevant_k = items - counts_kg[:, 0]
        top = len(relevancy.grades) - 1
        self._exact_code = top if relevancy.grades[top] == 1 else -1
        self._exact_k = counts_kg[:, top] if self._exact_code == top else np.zeros(len(counts_kg), dtype=np.int64)
        self._discount = 1 / np.log2(np.arange(2, items + 2))
        reached = np.append(0.0, np.cumsum(self._discount))
        end_kg = np.cumsum(counts_kg[:, ::-1], axis=1)
        gains_kg = (reached[end_kg] - reached[end_kg - counts_kg[:, ::-1]]) * relevancy.grades[::-1]
        self._ideal_k = gains_kg.sum(axis=1)

    def __call__(self, block_qi: FloatArray, rows: slice) -> GradedScores:
        queries = len(block_qi)
        key_q = self._relevancy.row_key[rows]
        relevant_q, exact_q = self._relevant_k[key_q], self._exact_k[key_q]

        # Only the relevant items, query by query in the order of their ranks, which count from 0.
        query = np.repeat(np.arange(queries), relevant_q)
        rank, code, tied = self._relevant(block_qi, rows, query)
        gain = self._relevancy.grades[code]
        counted = rank < relevant_q[query]
        found = np.bincount(query[counted], gain[counted] * self._discount[rank[counted]], queries)

        ordinal = _ordinals(relevant_q)
        gained_qk = np.zeros((queries, int(relevant_q.max(initial=0))))
        gained_qk[query, ordinal] = gain
        np.cumsum(gained_qk, axis=1, out=gained_qk)
        exact = np.flatnonzero(code == self._exact_code)
        of, position = query[exact], rank[exact] + 1
        published = np.bincount(of, gained_qk[of, ordinal[exact]] / position, queries)
        binary = np.bincount(of, (_ordinals(exact_q) + 1) / position, queries)
        with np.errstate(invalid="ignore"):
            ndcg = 100 * found / self._ideal_k[key_q]
            return GradedScores(ndcg, 100 * published / exact_q, 100 * binary / exact_q, tied)

    def _relevant(
        self, block_qi: FloatArray, rows: slice, query: IntArray
    ) -> tuple[IntArray, NDArray[np.uint16], NDArray[np.bool_]]:
        """Ranks and codes of the relevant items, and whether items of different codes tie.

        Most queries have no relevant item that ties: there the rank is the number of better items, which takes a sort
        of scores alone, and a search for the relevant ones.

        Args:
            block_qi: Scores of the queries.
            rows: The queries.
            query: Query of each relevant item, ascending.
        """
        queries, items = block_qi.shape
        code_qi = self._relevancy.rows(rows)
        worse_qi = _descending(block_qi)
        place = np.flatnonzero(code_qi != 0)
        key = worse_qi.ravel()[place].astype(np.int64) << 32 | code_qi.ravel()[place]
        worse_qi.sort(axis=1)
        rank = np.empty_like(query)
        ends = np.searchsorted(query, np.arange(queries + 1))
        for worse_i, start, end in zip(worse_qi, ends[:-1], ends[1:], strict=True):
            key[start:end].sort()  # a search is faster among ascending ones, too
            rank[start:end] = worse_i.searchsorted((key[start:end] >> 32).astype(np.int32))
        code = (key & int(CODE_MASK)).astype(np.uint16)

        tied = np.zeros(queries, dtype=bool)
        after = np.minimum(rank + 1, items - 1)
        in_a_tie = (rank < after) & (worse_qi.ravel()[query * items + after] == key >> 32)
        if in_a_tie.any():
            unclear = np.unique(query[in_a_tie])
            ranked_qi, tied[unclear] = self._ranked_codes(block_qi[unclear], rows.start + unclear)
            of_unclear = np.isin(query, unclear)
            rank[of_unclear] = np.nonzero(ranked_qi)[1]
            code[of_unclear] = ranked_qi[ranked_qi != 0]
        return rank, code, tied

    def _ranked_codes(self, block_qi: FloatArray, rows: IntArray) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Codes of the relevancies from rank 1 on, and whether items of different codes tie.

        One sort of 64-bit integers does it: the upper half orders by descending score, the lower half by the rule
        for ties and carries the code.
        """
        queries, items = block_qi.shape
        key_qi = np.empty((queries, items), dtype=np.int64)
        halves = key_qi.view(np.uint32).reshape(queries, items, 2)
        upper_qi, lower_qi = (halves[:, :, half] for half in UPPER_AND_LOWER)

        upper_qi[:] = _descending(block_qi).view(np.uint32)

        by_item, by_code = (CODE_BITS, 0) if self._ties == "index" else (0, items.bit_length())
        flipped = CODE_MASK if self._ties == "optimistic" else np.uint16(0)
        code_qi = self._relevancy.rows(rows)
        np.left_shift(code_qi ^ flipped if flipped else code_qi, by_code, out=lower_qi, dtype=np.uint32)
        lower_qi += (np.arange(items) << by_item).astype(np.uint32)
        key_qi.sort(axis=1)

        ranked_qi = (lower_qi >> by_code).astype(np.uint16) & CODE_MASK ^ flipped
        upper, ranked = upper_qi.ravel(), ranked_qi.ravel()
        left = np.flatnonzero(upper[1:] == upper[:-1])
        left = left[(left + 1) % items != 0]
        tied = np.zeros(queries, dtype=bool)
        tied[left[ranked[left] != ranked[left + 1]] // items] = True
        return ranked_qi, tied


def _descending(block_qi: FloatArray) -> NDArray[np.int32]:
    """Integers that order scores, in float32, from the highest on."""
    worse_qi = np.subtract(0, block_qi, dtype=np.float32, order="C", casting="same_kind").view(np.int32)
    # As integers, negative floats are in reverse order; flipping their other bits mends that.
    worse_qi ^= (worse_qi >> 31) & 0x7FFFFFFF
    return worse_qi


def _slices(start: int, stop: int, step: int) -> list[slice]:
    step = max(1, step)
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]


def _ordinals(count_q: IntArray) -> IntArray:
    """0, 1, ... for each query in turn, shape ``(sum of counts,)``."""
    return np.arange(count_q.sum()) - np.repeat(np.cumsum(count_q) - count_q, count_q)
