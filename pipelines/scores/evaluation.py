"""The result of scoring one run on one split, in the form that metrics.json and ranks.parquet take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.scores.bootstrap import Scores
from pipelines.scores.queries import SEGMENTS, SHOTS, TAIL_CLASSES, QueryScores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of both directions, or of media to text alone where media are classified.

    Attributes:
        protocol: ``pairs``, ``captions``, ``ek100``, ``eccv`` or ``classes``.
        ties: The rule for ties.
        queries: Per-query results by direction, ``text_to_media`` and ``media_to_text``.
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
            in which third); with training counts of classes also ``shots`` (how many queries are of many,
            medium and few); with tail classes also ``tail_classes`` (how many queries of each direction are of one);
            where a metric leaves queries out, ``left_out`` (how many, by direction and metric).
        """
        tied = {direction: int(scores.tied.sum()) for direction, scores in self.queries.items()}
        metrics: dict[str, Any] = {
            "protocol": self.protocol,
            "queries": {direction: len(scores) for direction, scores in self.queries.items()},
            "ties": {"rule": self.ties, **tied},
            "scores": self.scores,
        }
        if self.edges is not None:
            metrics["thirds"] = {"edges": list(self.edges)} | self._counts(SEGMENTS[1:])
        if any(scores.shots is not None for scores in self.queries.values()):
            metrics["shots"] = self._counts(SHOTS[::-1])
        if any(scores.tail_class is not None for scores in self.queries.values()):
            metrics[TAIL_CLASSES] = {
                direction: int(scores.segment(TAIL_CLASSES).sum()) for direction, scores in self.queries.items()
            }
        left_out = {
            direction: {
                name: int(np.isnan(value).sum()) for name, value in scores.values.items() if np.isnan(value).any()
            }
            for direction, scores in self.queries.items()
        }
        if any(left_out.values()):
            metrics["left_out"] = left_out
        return metrics

    def _counts(self, segments: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many queries of each direction are in each segment."""
        return {
            direction: {name: int(scores.segment(name).sum()) for name in segments}
            for direction, scores in self.queries.items()
        }
