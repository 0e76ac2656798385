"""The result of scoring one run on one split, in the form that metrics.json and ranks.parquet take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.scores.bootstrap import Scores
from pipelines.scores.queries import DIRECTIONS, SEGMENTS, TAIL_CLASSES, QueryScores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of both directions.

    Attributes:
        protocol: ``pairs``, ``captions``, ``ek100`` or ``eccv``.
        ties: The rule for ties.
        queries: Per-query results of ``text_to_media`` and ``media_to_text``.
        scores: ``scores[segment][direction][metric] == {"value", "low", "high"}``, percentages 0-100.
        edges: Cluster sizes between tail, middle and head (see `frequency_edges`), None where sizes are not known.
    """

    protocol: str
    ties: str
    queries: Mapping[str, QueryScores]
    scores: Scores = field(repr=False)
    edges: tuple[float, float] | None = None

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds, of plain Python types.

        Returns:
            ``protocol``, ``queries``, ``ties`` (the rule, and how many queries of each direction a tie bears on)
            and ``scores``; with cluster sizes also ``thirds`` (the edges, and how many queries of each direction are
            in which third); with tail classes also ``tail_classes`` (how many queries of each direction are of one);
            where a metric leaves queries out, ``left_out`` (how many, by direction and metric).
        """
        tied = {direction: int(self.queries[direction].tied.sum()) for direction in DIRECTIONS}
        metrics: dict[str, Any] = {
            "protocol": self.protocol,
            "queries": {direction: len(self.queries[direction]) for direction in DIRECTIONS},
            "ties": {"rule": self.ties, **tied},
            "scores": self.scores,
        }
        if self.edges is not None:
            metrics["thirds"] = {"edges": list(self.edges)} | {
                direction: {name: int(self.queries[direction].segment(name).sum()) for name in SEGMENTS[1:]}
                for direction in DIRECTIONS
            }
        if any(scores.tail_class is not None for scores in self.queries.values()):
            metrics[TAIL_CLASSES] = {
                direction: int(self.queries[direction].segment(TAIL_CLASSES).sum()) for direction in DIRECTIONS
            }
        left_out = {
            direction: {
                name: int(np.isnan(value).sum())
                for name, value in self.queries[direction].values.items()
                if np.isnan(value).any()
            }
            for direction in DIRECTIONS
        }
        if any(left_out.values()):
            metrics["left_out"] = left_out
        return metrics
