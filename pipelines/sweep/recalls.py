"""The score that a sweep shows: the mean of recall at 1, 5 and 10."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from pipelines.scores.queries import DIRECTIONS, RECALL_AT, QueryScores

MEAN_RECALL = "mean_recall"


def with_mean_recall(queries: Mapping[str, QueryScores]) -> dict[str, QueryScores]:
    """The scores of queries, with the mean of their recalls beside each of them."""
    found = {}
    for direction in DIRECTIONS:
        scores = queries[direction]
        means = scores.means()
        recalls = {f"recall@{k}": means[f"recall@{k}"] for k in RECALL_AT}
        values = {MEAN_RECALL: np.mean(list(recalls.values()), axis=0), **recalls}
        found[direction] = dataclasses.replace(scores, values=values)
    return found
