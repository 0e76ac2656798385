"""Scores of head, middle and tail, each with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.artifacts import scores_folder
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.remote import as_path, located
from pipelines.scores.queries import DIRECTIONS, SEGMENTS, TAIL_CLASSES
from pipelines.views.pictured import Pictured

_METRICS = "metrics.json"
GROUPS = (*SEGMENTS, TAIL_CLASSES)
_PLACES = ("median_rank", "mean_rank")  # counted in places, unlike all others


@dataclass(frozen=True)
class Score:
    """A score and its 95% interval.

    Attributes:
        value: In percent, 0 to 100.
        low: Lower end; None where there is no interval.
        high: Upper end.
    """

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, score: Mapping[str, Any]) -> "Score":
        """The score that ``{"value", "low", "high"}`` says."""
        return cls(score["value"], score["low"], score["high"])


@dataclass(frozen=True, repr=False)
class ThirdScores(Pictured):
    """The scores of one run on one split.

    Attributes:
        name: What it is called.
        scores: ``scores[metric][direction][segment]``: metrics such as ``recall@5``; directions ``text_to_media``,
            ``media_to_text`` and ``mean``; segments `GROUPS`, without those that have no queries.
    """

    name: str
    scores: Mapping[str, Mapping[str, Mapping[str, Score]]]

    @property
    def segments(self) -> list[str]:
        """The segments that have scores, in the order of `GROUPS`."""
        found = {name for each in self.scores.values() for of in each.values() for name in of}
        return [name for name in GROUPS if name in found]

    @property
    def has_thirds(self) -> bool:
        """Whether some scores are those of head or tail."""
        return bool({"head", "tail"} & set(self.segments))


def read_thirds(folder: Path | str, *, name: str | None = None) -> ThirdScores:
    """See the scores of head, middle and tail in a folder that ``mmts eval`` wrote.

    Args:
        folder: The folder, or a run's folder that holds one such folder.
        name: What to call it; by default as its folder is called.

    Raises:
        InputError: The folder can't be used, or its scores have neither thirds nor tail classes.
    """
    found = read_scores(folder, name=name)
    if found.segments == ["overall"]:
        raise InputError(
            f"{scores_folder(as_path(folder)) / _METRICS}: its queries have no head and tail; score again with "
            "--frequency, a column of classes or a clusters file"
        )
    return found


def read_scores(folder: Path | str, *, name: str | None = None) -> ThirdScores:
    """As `read_thirds`, also where the scores have no thirds: then all are of the segment ``overall``.

    Raises:
        InputError: The folder can't be used.
    """
    folder = located(folder)
    path = scores_folder(folder) / _METRICS
    metrics = read_json(path)
    try:
        return scores_of(name or folder.name or str(folder), metrics["scores"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the metrics of `mmts eval`; score the run again") from error


def scores_of(name: str, scores: Mapping[str, Any]) -> ThirdScores:
    """The scores that ``scores[segment][direction][metric] == {"value", "low", "high"}`` says, without ranks."""
    found: dict[str, dict[str, dict[str, Score]]] = {}
    for segment in (name for name in GROUPS if name in scores):
        for direction in (*DIRECTIONS, "mean"):
            for metric, score in scores[segment].get(direction, {}).items():
                if metric not in _PLACES and score["value"] is not None:
                    found.setdefault(metric, {}).setdefault(direction, {})[segment] = Score.of(score)
    return ThirdScores(name, found)
