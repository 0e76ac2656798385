"""How well media were classified: of all classes, of those with many, medium and few training media, and of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import CLASSES, read_table, scores_folder
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.remote import as_path, located
from pipelines.scores.queries import SHOTS
from pipelines.views.pictured import Pictured
from pipelines.views.thirds import Score, ThirdScores, read_thirds

GROUPS = ("overall", *SHOTS[::-1])


@dataclass(frozen=True)
class ScoredClass:
    """A class that has media to test on.

    Attributes:
        name: What the column of classes calls it.
        group: ``many``, ``medium`` or ``few``; None where its training media aren't counted.
        train: Its training media; None likewise. Not whole where it is a mean.
        test: Its media that were classified.
        top_1: How many of these are right, in percent.
        confused: The class that most others were taken for, and how many; None where all are right.
    """

    name: str
    group: str | None
    train: float | None
    test: int
    top_1: float
    confused: tuple[str, int] | None


@dataclass(frozen=True, repr=False)
class ClassScores(Pictured):
    """The scores of a classification.

    Attributes:
        name: What it is called.
        scores: ``scores[metric][group]``: metrics ``top-1``, ``top-5`` and ``mean_per_class``; groups `GROUPS`, without
            those that have no media.
        media: Classified media by group.
        candidates: How many classes there are to choose from.
        counted: Where the training media of classes come from, or why they aren't known, in words.
        slope: How many points top-1 rises with ten times the training media; None where that isn't known.
        classes: The classes, the worst first.
    """

    name: str
    scores: Mapping[str, Mapping[str, Score]]
    media: Mapping[str, int]
    candidates: int
    counted: str
    slope: Score | None
    classes: list[ScoredClass]


def is_classification(folder: Path) -> bool:
    """Whether a folder of scores is one of ``mmts eval --protocol classes``."""
    return (folder / "classes.parquet").is_file()


def read_class_scores(folder: Path | str, *, name: str | None = None) -> ClassScores:
    """See the scores in a folder that ``mmts eval --protocol classes`` wrote.

    Args:
        folder: The folder, or a run's folder that holds one such folder.
        name: What to call it; by default as its folder is called.

    Raises:
        InputError: The folder can't be used, or was scored by another protocol.
    """
    folder = scores_folder(located(folder))
    path = folder / "metrics.json"
    metrics = read_json(path)
    try:
        groups = {group: metrics["scores"][group]["media_to_text"] for group in GROUPS if group in metrics["scores"]}
        shots = metrics["shots"]["media_to_text"] if "shots" in metrics else {}
        return ClassScores(
            name or folder.name or str(folder),
            {
                metric: {group: Score.of(of[metric]) for group, of in groups.items() if of[metric]["value"] is not None}
                for metric in groups["overall"]
            },
            {"overall": metrics["queries"]["media_to_text"], **shots},
            metrics["classes"]["candidates"],
            metrics["cluster_sizes"],
            None if metrics["slope"] is None else Score.of(metrics["slope"]),
            _classes(folder / "classes.parquet"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the metrics of `mmts eval --protocol classes`; score the run again") from error


def read_by_frequency(folder: Path | str, *, name: str | None = None) -> ThirdScores | ClassScores:
    """See the scores of head, middle and tail, or of a classification those of many, medium and few.

    Args:
        folder: As for `read_thirds`.
        name: What to call it.

    Raises:
        InputError: The folder can't be used, or its scores have no such groups.
    """
    if not is_classification(scores_folder(as_path(folder))):
        return read_thirds(folder, name=name)
    found = read_class_scores(folder, name=name)
    if not any(set(SHOTS) & of.keys() for of in found.scores.values()):
        raise InputError(
            f"{folder}: its classes are neither many, medium nor few ({found.counted}); score again with --frequency"
        )
    return found


def _classes(path: Path) -> list[ScoredClass]:
    """The classes that were tested, in the order of the file: the worst first."""
    return [
        ScoredClass(
            row["class"],
            row["shots"],
            row["train_count"],
            row["test_count"],
            row["top-1"],
            None if row["confused_with"] is None else (row["confused_with"], row["confused_count"]),
        )
        for row in read_table(path, CLASSES).to_pylist()
        if row["test_count"]
    ]
