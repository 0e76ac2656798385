"""What ``evaluate`` found, in words and tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import StageResult, first_few
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.evaluate.class_lines import classes_said, slope_and_classes
from pipelines.remote import located
from pipelines.scores.queries import SHOTS_IN_WORDS
from pipelines.tables.scores import score_tables, shown_segments

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


class ScoresResult(StageResult):
    """What ``evaluate`` found; its summary is what ``metrics.json`` holds."""

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """How the run was scored, and a table of each direction."""
        yield self.headline
        yield from _told(self.summary)
        protocol = self.summary["protocol"]
        for direction in (*self.summary["queries"], *(["mean"] if protocol == "ek100" else [])):
            for table in _tables(self.summary, direction, width):
                yield ""
                yield table
        if protocol == "classes":
            yield from slope_and_classes(self.summary, self.output / "classes.parquet", width)


def open_scores(folder: Path | str) -> ScoresResult:
    """The scores in a folder that ``evaluate`` wrote.

    Raises:
        InputError: It holds none.
    """
    folder = located(folder)
    metrics = read_metrics(folder / "metrics.json")
    if metrics is None:
        raise InputError(f"{folder}: holds no scores; make some with `mmts eval`")
    return ScoresResult(folder, True, metrics, opened=True)


def read_metrics(path: Path) -> dict[str, Any] | None:
    """What a folder's ``metrics.json`` holds; None where it isn't what ``evaluate`` writes."""
    try:
        metrics = read_json(path)
    except InputError:
        return None
    return metrics if isinstance(metrics, dict) and {"protocol", "ties", "scores"} <= set(metrics) else None


def _told(metrics: dict[str, Any]) -> Iterator[str]:
    queries, ties, protocol = metrics["queries"], metrics["ties"], metrics["protocol"]
    if protocol == "classes":
        yield from classes_said(metrics)
    else:
        yield (
            f"protocol {protocol}: {queries['text_to_media']:,} text queries ({ties['text_to_media']} tied), "
            f"{queries['media_to_text']:,} media queries ({ties['media_to_text']} tied; ties by {ties['rule']})"
        )
    if protocol in ("pairs", "youcook2"):
        yield f"N = {queries['text_to_media']:,} pairs: scores of test sets of other sizes don't compare"
    if "gallery" in metrics:
        media, distractors = (metrics["gallery"][name] for name in ("media", "distractors"))
        yield f"gallery: {media:,} media, {distractors:,} of them distractors"
    if "bad_media" in metrics:
        texts = "" if protocol == "classes" else " with their texts"
        named = first_few(metrics["bad_media"])
        yield f"{len(metrics['bad_media']):,} media can't be decoded and are left out{texts}, first: {named}"
    if "shots" in metrics:
        yield f"many, medium, few: {SHOTS_IN_WORDS} ({metrics['cluster_sizes']})"
    elif "thirds" in metrics:
        low, high = metrics["thirds"]["edges"]
        edges = f"tail below {low:g}, head from {high:g}"
        yield f"thirds of the samples by training cluster size: {edges} ({metrics['cluster_sizes']})"
    else:
        yield f"no {'many, medium, few' if protocol == 'classes' else 'thirds'}: {metrics['cluster_sizes']}"
    for direction, counts in metrics.get("left_out", {}).items():
        names_by_count: dict[int, list[str]] = {}
        for name, count in counts.items():
            names_by_count.setdefault(count, []).append(name)
        for count, names in names_by_count.items():
            yield f"{direction.replace('_', ' ')}: {count:,} queries count for no {', '.join(names)}"


def _tables(metrics: dict[str, Any], direction: str, width: int) -> "Iterator[Table]":
    scores = {
        segment: metrics["scores"][segment][direction]
        for segment in shown_segments(metrics["scores"])
        if direction in metrics["scores"][segment]
    }
    columns = {
        name: [_interval(score[name]) for score in scores.values()]  # all segments have the same metrics
        for name in scores["overall"]
    }
    rows = [(segment.replace("_", " "), _count(metrics, segment, direction)) for segment in scores]
    return score_tables((direction.replace("_", " "), "queries"), rows, columns, width)


def _count(metrics: dict[str, Any], segment: str, direction: str) -> str:
    """How many queries of a direction are in a segment; nothing for the mean of both directions."""
    if direction == "mean":
        return ""
    for parts in ("thirds", "shots"):
        if segment in metrics.get(parts, {}).get(direction, {}):
            return f"{metrics[parts][direction][segment]:,}"
    return f"{metrics['queries' if segment == 'overall' else segment][direction]:,}"


def _interval(score: dict[str, float | None]) -> "Text":
    """A score, with its interval below it."""
    from rich.text import Text

    cell = Text("-" if score["value"] is None else f"{score['value']:.1f}")
    if score.get("low") is not None:
        cell.append(f"\n{score['low']:.1f}-{score['high']:.1f}", style="dim")
    return cell
