"""nDCG and average precision of a block of queries whose similarities are there."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.scores.ranks import Ties
from pipelines.scores.relevancy import Relevancy
from pipelines.scores.similarity import IntArray


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
    """Scores blocks of queries.

    Args:
        relevancy: Relevancies, queries as rows.
        ties: The rule for ties.
    """

    def __init__(self, relevancy: Relevancy, ties: Ties) -> None:
        self._relevancy = relevancy
        self._ties = ties
        top = len(relevancy.grades) - 1
        self._exact_code = top if relevancy.grades[top] == 1 else -1
        self._discount = 1 / np.log2(np.arange(2, relevancy.shape[1] + 2))
        self._reached = np.append(0.0, np.cumsum(self._discount))

    def __call__(self, worse_qi: NDArray[np.float32], rows: slice) -> GradedScores:
        """Score queries.

        Args:
            worse_qi: Negated similarities without negative zeros, shape ``(queries, items)``.
            rows: The queries.
        """
        queries, items = worse_qi.shape
        code_qi = self._relevancy.rows(rows)
        order_qi = self._order(worse_qi, code_qi)
        code_qi = code_qi.take(order_qi)

        # Only the relevant items, query by query in the order of their ranks, which count from 0.
        place = np.flatnonzero(code_qi != 0)
        code = code_qi.take(place)
        bounds = np.searchsorted(place, np.arange(queries + 1) * items)
        relevant_q = bounds[1:] - bounds[:-1]
        query = np.repeat(np.arange(queries), relevant_q)
        rank = place - query * items
        gain = self._relevancy.grades.take(code)
        counted = np.flatnonzero(rank < relevant_q[query])
        found = np.bincount(query[counted], gain[counted] * self._discount[rank[counted]], queries)

        gained = np.empty_like(gain)
        for start, end in itertools.pairwise(bounds.tolist()):
            gain[start:end].cumsum(out=gained[start:end])
        exact = np.flatnonzero(code == self._exact_code)
        of, position = query[exact], rank[exact] + 1
        exact_q = np.bincount(of, minlength=queries)
        published = np.bincount(of, gained[exact] / position, queries)
        ordinal = np.arange(1, len(of) + 1) - np.repeat(np.cumsum(exact_q) - exact_q, exact_q)
        binary = np.bincount(of, ordinal / position, queries)
        tied = self._tied(worse_qi.take(order_qi), code_qi, relevant_q)
        with np.errstate(invalid="ignore"):
            ndcg = 100 * found / self._ideal(query, code, queries)
            return GradedScores(ndcg, 100 * published / exact_q, 100 * binary / exact_q, tied)

    def _ideal(self, query: IntArray, code: NDArray[np.uint16], queries: int) -> NDArray[np.float64]:
        """Discounted gain of each query's relevant items in the order of their relevancies."""
        grades = len(self._relevancy.grades)
        counts_qg = np.bincount(query * grades + code, minlength=queries * grades).reshape(queries, grades)[:, ::-1]
        end_qg = np.cumsum(counts_qg, axis=1)
        gains_qg = (self._reached[end_qg] - self._reached[end_qg - counts_qg]) * self._relevancy.grades[::-1]
        ideal_q: NDArray[np.float64] = gains_qg.sum(axis=1)
        return ideal_q

    def _order(self, worse_qi: NDArray[np.float32], code_qi: NDArray[np.uint16]) -> IntArray:
        """Places, in the flat block, of each query's items from rank 1 on.

        NumPy sorts 16 bits stably by their digits, as fast on any processor. So the last order counts most: that of the
        upper halves of the similarities, then of the lower ones, then the rule for ties, then that of the items.
        """
        queries, items = worse_qi.shape
        # As integers, negative floats are in reverse order; flipping their other bits mends that.
        bits_qi = worse_qi.view(np.int32) >> 31
        bits_qi &= 0x7FFFFFFF
        bits_qi ^= worse_qi.view(np.int32)
        keys: list[NDArray[Any]] = [bits_qi.astype(np.uint16), (bits_qi >> 16).astype(np.int16)]
        if self._ties != "index":
            keys.insert(0, ~code_qi if self._ties == "optimistic" else code_qi)
        first_q = np.arange(0, queries * items, items)[:, None]
        order_qi: IntArray = keys[0].argsort(axis=1, kind="stable") + first_q
        for key_qi in keys[1:]:
            then_qi = key_qi.take(order_qi).argsort(axis=1, kind="stable")
            then_qi += first_q
            order_qi = order_qi.take(then_qi)
        return order_qi

    def _tied(
        self, worse_qi: NDArray[np.float32], code_qi: NDArray[np.uint16], relevant_q: IntArray
    ) -> NDArray[np.bool_]:
        """Whether ties bear on a measure, where items are in the order of their ranks."""
        place = np.flatnonzero(worse_qi.ravel()[1:] == worse_qi.ravel()[:-1])
        query, rank = np.divmod(place, worse_qi.shape[1])
        place, query, rank = (part[rank + 1 < worse_qi.shape[1]] for part in (place, query, rank))
        left, right = code_qi.take(place), code_qi.take(place + 1)
        # Ranks where a tie starts, carried on to all that are in it.
        starts = np.ones(len(place), dtype=bool)
        starts[1:] = place[1:] != place[:-1] + 1
        start = rank[np.maximum.accumulate(np.where(starts, np.arange(len(place)), 0))]
        exact = (left == self._exact_code) | (right == self._exact_code)
        tied_q = np.zeros(len(worse_qi), dtype=bool)
        tied_q[query[(left != right) & (exact | (start < relevant_q[query]))]] = True
        return tied_q
