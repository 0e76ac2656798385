"""Scores of a classification: of all classes, of those with many, medium and few training media, and the worst ones."""

from pipelines.report.figures import said
from pipelines.report.page import Chart, Section, Table
from pipelines.report.sections.scores import compared, score_chart
from pipelines.scores.queries import SHOTS_IN_WORDS
from pipelines.views.classes import GROUPS, ClassScores

_WORST = 20


def classes_section(scores: ClassScores) -> Section:
    """Every score of each group of classes, and the classes that are recognised worst."""
    words = [
        f"Scores {scores.name}: {scores.media['overall']:,} media of {len(scores.classes):,} classes, "
        f"{scores.candidates:,} to choose from. {few_against_many(scores)}"
    ]
    if len(scores.media) > 1:
        words.append(f"Many, medium and few: {SHOTS_IN_WORDS} ({scores.counted}).")
    else:
        words.append(f"No many, medium and few: {scores.counted}.")
    if scores.slope is not None:
        low, high = scores.slope.low, scores.slope.high
        within = "" if low is None or high is None else f" ({low:+.1f} to {high:+.1f})"
        words.append(f"With ten times the training media, top-1 changes by {scores.slope.value:+.1f} points{within}.")
    return Section(
        id="classes",
        title="Classification",
        words=words,
        charts=[_chart(scores)],
        tables=[_worst(scores)],
    )


def few_against_many(scores: ClassScores) -> str:
    """Whether rare classes are recognised less often than frequent ones, as far as the intervals tell."""
    of = scores.scores["mean_per_class"]
    if {"many", "few"} <= of.keys():
        words = ("those with many", "classes with few training media", "are recognised")
        return compared("Mean per class", of, ("many", "few"), words)
    top_1, mean = scores.scores["top-1"]["overall"], of["overall"]
    return f"Top-1 of all media: {said(top_1)}; mean per class: {said(mean)}."


def _chart(scores: ClassScores) -> Chart:
    title = "Classification by training media of the class"
    return score_chart("scores-classes", title, scores.scores, GROUPS, "classes")


def _worst(scores: ClassScores) -> Table:
    rows = [
        [
            each.name,
            each.group or "",
            "" if each.train is None else f"{each.train:,.0f}",
            f"{each.test:,}",
            f"{each.top_1:.1f}",
            "" if each.confused is None else f"{each.confused[0]} ({each.confused[1]:,})",
        ]
        for each in scores.classes[:_WORST]
    ]
    more = f", the worst {_WORST} of {len(scores.classes):,}" if len(scores.classes) > _WORST else ", the worst first"
    columns = ["class", "group", "training media", "test media", "top-1 (%)", "most often taken for"]
    return Table(f"Classes{more}", columns, rows, words=["group", "most often taken for"])
