"""nDCG and average precision of a block of queries whose similarities are there."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.scores.ranks import Ties
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import IntArray

UPPER_AND_LOWER = (1, 0) if sys.byteorder == "little" else (0, 1)
CODE_BITS = 12
CODE_MASK = np.uint16(2**CODE_BITS - 1)


@dataclass(frozen=True, eq=False)
class GradedScores:
    """Measures of q queries, each of shape ``(q,)``.

    Attributes:
        ndcg: Normalised discounted cumulative gain, 0-100, NaN for a query without relevant items.
        average_precision: Average precision as published for EK-100, 0-100, NaN without items of relevancy 1.
        average_precision_binary: Textbook average precision, 0-100, NaN without items of relevancy 1.
        tied: Whether a tie of items of different relevancy bears on a measure: it starts among the first k ranks, or
            one of the items has relevancy 1.
    """

    ndcg: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    average_precision_binary: NDArray[np.float64]
    tied: NDArray[np.bool_]


class BlockScorer:
    """What all blocks share: grades, discounts, and the ideal gain of each distinct row of relevancies.

    Args:
        relevancy: Relevancies, queries as rows.
        ties: The rule for ties.
    """

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

    def __call__(self, worse_qi: NDArray[np.int32], rows: slice) -> GradedScores:
        """Score queries.

        Args:
            worse_qi: Integers in descending order of similarity, shape ``(queries, items)``.
            rows: The queries.
        """
        queries = len(worse_qi)
        key_q = self._relevancy.row_key[rows]
        relevant_q, exact_q = self._relevant_k[key_q], self._exact_k[key_q]

        # Only the relevant items, query by query in the order of their ranks, which count from 0.
        query = np.repeat(np.arange(queries), relevant_q)
        rank, code, tied = self._relevant(worse_qi, rows, query, relevant_q)
        gain = self._relevancy.grades.take(code)
        counted = np.flatnonzero(rank < np.repeat(relevant_q, relevant_q))
        found = np.bincount(query[counted], gain[counted] * self._discount[rank[counted]], queries)

        gained = np.empty_like(gain)
        for part in _parts(relevant_q):
            gain[part].cumsum(out=gained[part])
        exact = np.flatnonzero(code == self._exact_code)
        of, position = query[exact], rank[exact] + 1
        published = np.bincount(of, gained[exact] / position, queries)
        ordinal = np.arange(1, len(of) + 1) - np.repeat(np.cumsum(exact_q) - exact_q, exact_q)
        binary = np.bincount(of, ordinal / position, queries)
        with np.errstate(invalid="ignore"):
            ndcg = 100 * found / self._ideal_k[key_q]
            return GradedScores(ndcg, 100 * published / exact_q, 100 * binary / exact_q, tied)

    def _relevant(
        self, worse_qi: NDArray[np.int32], rows: slice, query: IntArray, relevant_q: IntArray
    ) -> tuple[IntArray, NDArray[np.uint16], NDArray[np.bool_]]:
        """Ranks and codes of the relevant items, and whether ties bear on a measure.

        Most queries have no tie at a rank that is asked for: there the rank is the number of better items, which takes
        a sort of similarities alone, and a search for the items that have a rank among the first k or are exact. Others
        get the last rank.

        Args:
            worse_qi: Similarities of the queries, as integers in descending order.
            rows: The queries.
            query: Query of each relevant item, ascending.
            relevant_q: Number k of relevant items of each query.
        """
        queries, items = worse_qi.shape
        code_qi = self._relevancy.rows(rows)
        place = np.flatnonzero(code_qi != 0)
        key, upper, lower = _keys(len(place))
        upper[:] = worse_qi.view(np.uint32).take(place)
        lower[:] = code_qi.take(place)
        for part in _parts(relevant_q):
            key[part].sort()
        worse, code = upper.astype(np.uint32).view(np.int32), lower.astype(np.uint16)

        ranked_qi = np.sort(worse_qi, axis=1)
        last_q = ranked_qi[np.arange(queries), relevant_q - 1]
        asked = np.flatnonzero((worse <= np.repeat(last_q, relevant_q)) | (code == self._exact_code))
        worse, query_a = worse[asked], query[asked]
        rank_a = np.empty_like(query_a)
        for ranked_i, part in zip(ranked_qi, _parts(np.bincount(query_a, minlength=queries)), strict=True):
            rank_a[part] = ranked_i.searchsorted(worse[part])
        rank = np.full(len(query), items - 1)
        rank[asked] = rank_a

        tied = np.zeros(queries, dtype=bool)
        after = np.minimum(rank_a + 1, items - 1)
        in_a_tie = (rank_a < after) & (ranked_qi.ravel()[query_a * items + after] == worse)
        if in_a_tie.any():
            unclear = np.unique(query_a[in_a_tie])
            code_ui, tied[unclear] = self._ranked_codes(worse_qi[unclear], rows.start + unclear, relevant_q[unclear])
            of_unclear = np.isin(query, unclear)
            rank[of_unclear] = np.nonzero(code_ui)[1]
            code[of_unclear] = code_ui[code_ui != 0]
        return rank, code, tied

    def _ranked_codes(
        self, worse_qi: NDArray[np.int32], rows: IntArray, relevant_q: IntArray
    ) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Codes of the relevancies from rank 1 on, and whether ties bear on a measure.

        One sort of 64-bit integers does it: the upper half orders by descending score, the lower half by the rule
        for ties and carries the code.
        """
        queries, items = worse_qi.shape
        key_qi, upper_qi, lower_qi = _keys(queries, items)
        upper_qi[:] = worse_qi.view(np.uint32)

        by_item, by_code = (CODE_BITS, 0) if self._ties == "index" else (0, items.bit_length())
        flipped = CODE_MASK if self._ties == "optimistic" else np.uint16(0)
        code_qi = self._relevancy.rows(rows)
        np.left_shift(code_qi ^ flipped if flipped else code_qi, by_code, out=lower_qi, dtype=np.uint32)
        lower_qi += (np.arange(items) << by_item).astype(np.uint32)
        key_qi.sort(axis=1)

        ranked_qi = (lower_qi >> by_code).astype(np.uint16) & CODE_MASK ^ flipped
        equal = upper_qi[:, 1:] == upper_qi[:, :-1]
        left, right = ranked_qi[:, :-1], ranked_qi[:, 1:]
        # Ranks where a tie starts, carried on to all that are in it.
        start = np.maximum.accumulate(np.where(equal, 0, np.arange(1, items)), axis=1)
        early = np.where(equal, start, items) < relevant_q[:, None]
        exact = (left == self._exact_code) | (right == self._exact_code)
        return ranked_qi, (equal & (left != right) & (early | exact)).any(axis=1)


def _keys(*shape: int) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]:
    """New integers to sort, with views of their upper and lower halves."""
    key = np.empty(shape, dtype=np.int64)
    halves = key.view(np.uint32).reshape(*shape, 2)
    upper, lower = (halves[..., half] for half in UPPER_AND_LOWER)
    return key, upper, lower


def _parts(count_q: IntArray) -> list[slice]:
    """The entries of each query, where queries have so many."""
    end_q = np.cumsum(count_q).tolist()
    return [slice(start, end) for start, end in zip([0, *end_q], end_q, strict=False)]
