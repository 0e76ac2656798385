"""Per-query results of one direction, and the statistics that are made from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.scores.similarity import IntArray
from pipelines.scores.thirds import THIRDS

RECALL_AT = (1, 5, 10)
WEIGHTS_AT_ONCE = 2**22
GRADED = ("mAP", "mAP_binary", "nDCG")  # what graded relevancy gives
DIRECTIONS = ("text_to_media", "media_to_text")
SEGMENTS = ("overall", "head", "middle", "tail")
TAIL_CLASSES = "tail_classes"
SHOTS = ("few", "medium", "many")
FEW_BELOW, MANY_ABOVE = 20, 100
SHOTS_IN_WORDS = (
    f"classes of more than {MANY_ABOVE}, {FEW_BELOW} to {MANY_ABOVE} and fewer than {FEW_BELOW} training media"
)
ALL_SEGMENTS = (*SEGMENTS, *SHOTS[::-1], TAIL_CLASSES)


@dataclass(frozen=True, eq=False)
class QueryScores:
    """What q queries of one direction scored. Everything here can be written as one row a query and read back.

    Attributes:
        query: Row of each query on its own side, shape ``(q,)``.
        group: Media row that the query belongs to; the bootstrap draws these, so that the queries of one medium move
            together. Shape ``(q,)``.
        values: Either ``rank`` (1 for the best) or percentages by metric name, NaN where a query is left out of the
            metric; each of shape ``(q,)``.
        tied: Whether a tie bears on the query's result, shape ``(q,)``.
        fold: Fold that the query was ranked in, shape ``(q,)``; scores are means over folds.
        cluster_size: Training cluster size of the query, shape ``(q,)``, None where sizes are not known.
        third: 0 tail, 1 middle, 2 head, shape ``(q,)``, None where sizes are not known.
        tail_class: Whether the query is of one of the classes that a data set calls its tail, shape ``(q,)``, None
            where it names none.
        label: Class of each query, from 0, shape ``(q,)``, None where queries are not classified. With it
            ``mean_per_class``, the mean over classes of ``top-1``, is one of the scores.
        shots: How many training media the query's class has: 0 few, 1 medium, 2 many (indices into `SHOTS`), shape
            ``(q,)``, None where that is not known or queries are not classified.
    """

    query: IntArray
    group: IntArray
    values: Mapping[str, NDArray[Any]]
    tied: NDArray[np.bool_]
    fold: IntArray
    cluster_size: NDArray[np.float64] | None = None
    third: NDArray[np.int8] | None = None
    tail_class: NDArray[np.bool_] | None = None
    label: IntArray | None = None
    shots: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.query)

    def segment(self, name: str) -> NDArray[np.bool_]:
        """Which queries belong to one of `ALL_SEGMENTS`, shape ``(q,)``."""
        if name == "overall":
            return np.ones(len(self), dtype=bool)
        labels: NDArray[Any] | None
        if name == TAIL_CLASSES:
            labels, wanted = self.tail_class, 1
        elif name in SHOTS:
            labels, wanted = self.shots, SHOTS.index(name)
        else:
            labels, wanted = self.third, THIRDS.index(name)
        if labels is None:
            return np.zeros(len(self), dtype=bool)
        inside: NDArray[np.bool_] = labels == wanted
        return inside

    def means(self) -> dict[str, NDArray[np.float64]]:
        """The metrics that are means over queries: the addends of each, shape ``(q,)``, NaN where left out."""
        if "rank" not in self.values:
            return {name: np.asarray(value, dtype=np.float64) for name, value in self.values.items()}
        rank = self.values["rank"]
        recalls = {f"recall@{k}": np.where(rank <= k, 100.0, 0.0) for k in RECALL_AT}
        return {**recalls, "mean_rank": rank.astype(np.float64)}

    def medians(self) -> dict[str, NDArray[np.float64]]:
        """The metrics that are medians over queries: the values of each, shape ``(q,)``."""
        return {"median_rank": self.values["rank"].astype(np.float64)} if "rank" in self.values else {}

    def class_means(self) -> dict[str, NDArray[np.float64]]:
        """The metrics that are means over classes of their queries' means: the addends of each, shape ``(q,)``."""
        return {} if self.label is None else {"mean_per_class": np.asarray(self.values["top-1"], dtype=np.float64)}


class GroupStatistics:
    """The metrics of some queries as functions of how often each group was drawn.

    Args:
        group_q: Group of each query, 0 to g - 1.
        groups: Number of groups, g.
        means: From `QueryScores.means`.
        medians: From `QueryScores.medians`.
        class_means: From `QueryScores.class_means`.
        label_q: Class of each query, where there are such metrics.
    """

    def __init__(
        self,
        group_q: IntArray,
        groups: int,
        means: Mapping[str, NDArray[np.float64]],
        medians: Mapping[str, NDArray[np.float64]],
        class_means: Mapping[str, NDArray[np.float64]],
        label_q: IntArray | None,
    ) -> None:
        self._names = list(means)
        sums = [np.bincount(group_q, np.nan_to_num(value), groups) for value in means.values()]
        counts = [np.bincount(group_q, ~np.isnan(value), groups) for value in means.values()]
        self._sums_and_counts_gc = np.stack(sums + counts, axis=1)
        self._sorted = {name: (np.sort(value), group_q[np.argsort(value)]) for name, value in medians.items()}
        self._class_means: dict[str, tuple[NDArray[np.float64], IntArray, IntArray]] = {}
        if label_q is not None:
            by_class = np.argsort(label_q, kind="stable")
            starts = np.unique(label_q[by_class], return_index=True)[1]
            self._class_means = {n: (value[by_class], group_q[by_class], starts) for n, value in class_means.items()}

    def __call__(self, draws_bg: IntArray) -> dict[str, NDArray[np.float64]]:
        """Each metric in b resamples, shape ``(b,)``, NaN in a resample without a query.

        Args:
            draws_bg: How often each group was drawn, shape ``(b, g)``.
        """
        sums_bc, counts_bc = np.split(draws_bg.astype(np.float64) @ self._sums_and_counts_gc, 2, axis=1)
        with np.errstate(invalid="ignore"):
            mean_bc = sums_bc / counts_bc
        statistics = {name: mean_bc[:, column] for column, name in enumerate(self._names)}
        for name, (value_q, group_q) in self._sorted.items():
            blocks = _weights(draws_bg, group_q)
            statistics[name] = np.concatenate([_weighted_medians(value_q, weight_bq) for weight_bq in blocks])
        for name, (value_q, group_q, starts) in self._class_means.items():
            blocks = _weights(draws_bg, group_q)
            statistics[name] = np.concatenate([_mean_of_means(value_q, starts, weight_bq) for weight_bq in blocks])
        return statistics


def _weights(draws_bg: IntArray, group_q: IntArray) -> Iterator[IntArray]:
    """How often each query was drawn, in blocks of bounded memory."""
    step = max(1, WEIGHTS_AT_ONCE // max(1, len(group_q)))
    for start in range(0, len(draws_bg), step):
        yield draws_bg[start : start + step, group_q]


def _mean_of_means(value_q: NDArray[np.float64], starts: IntArray, weight_bq: IntArray) -> NDArray[np.float64]:
    """Means over classes of weighted means within them; a class of which nothing was drawn is left out."""
    sum_bc = np.add.reduceat(weight_bq * value_q, starts, axis=1)
    count_bc = np.add.reduceat(weight_bq, starts, axis=1)
    drawn_bc = count_bc > 0
    mean_bc = np.divide(sum_bc, count_bc, out=np.zeros_like(sum_bc), where=drawn_bc)
    with np.errstate(invalid="ignore"):
        mean_b: NDArray[np.float64] = mean_bc.sum(axis=1) / drawn_bc.sum(axis=1)
    return mean_b


def _weighted_medians(value_q: NDArray[np.float64], weight_bq: IntArray) -> NDArray[np.float64]:
    """Ordinary medians of sorted values that each occur a whole number of times, NaN where none occurs."""
    reached_bq = np.cumsum(weight_bq, axis=1)
    count_b = reached_bq[:, -1] if len(value_q) else np.zeros(len(weight_bq), dtype=np.int64)
    lower_b = np.count_nonzero(reached_bq <= (count_b[:, None] - 1) // 2, axis=1)
    upper_b = np.count_nonzero(reached_bq <= count_b[:, None] // 2, axis=1)
    padded = np.append(value_q, np.nan)
    return np.where(count_b > 0, (padded[lower_b] + padded[upper_b]) / 2, np.nan)
