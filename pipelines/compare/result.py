"""What ``compare`` found, in words and tables."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.tables import Shown
from pipelines.tables.scores import score_tables, shown_segments
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


class Comparison(Shown, dict[str, Any]):
    """What ``compare`` found: a dictionary that shows itself."""

    def __repr__(self) -> str:
        """``Comparison(temperature fixed, temperature mmts)``."""
        return f"Comparison({'; '.join(setting['name'] for setting in self['settings'])})"

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """The settings, and the differences of each from the baseline."""
        return _told(self, width)


def _told(result: Comparison, width: int) -> "Iterator[RenderableType]":
    queries = result["queries"]
    sides = {"text_to_media": "text", "media_to_text": "media"}
    counts = ", ".join(f"{count:,} {sides[direction]} queries" for direction, count in queries.items())
    yield f"protocol {result['protocol']}: {counts}"
    for setting in result["settings"]:
        seeds = [seed for seed in setting["seeds"] if seed is not None]
        yield f"{_setting(setting)}: {counted(len(setting['folders']), 'run')}{_seeds(seeds)}"
    yield "differences in percentage points, of ranks in places (negative: better); *: better or worse"
    single = {setting["name"] for setting in result["settings"] if len(setting["folders"]) == 1}
    for comparison in result["comparisons"]:
        yield ""
        yield f"{comparison['setting']} minus {comparison['baseline']}"
        judged = not {comparison["setting"], comparison["baseline"]} & single
        if not judged:
            yield "a verdict needs two seeds or more of each; intervals here are over queries alone"
        for direction in (*queries, *(["mean"] if len(queries) > 1 else [])):
            for table in _tables(comparison["differences"], direction, width):
                yield ""
                yield table
        if judged:
            yield from _verdicts(comparison["differences"])


def _setting(setting: dict[str, Any]) -> str:
    name, folders = setting["name"], setting["folders"]
    return name if name == folders[0] else f"{name} ({', '.join(folders)})"


def _seeds(seeds: list[int]) -> str:
    return f", seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}" if seeds else ""


def _verdicts(differences: dict[str, Any]) -> "Iterator[str]":
    """The verdicts on the mean of both directions in words, a line a segment."""
    yield ""
    for segment in shown_segments(differences):
        directions = differences[segment]
        for direction in ("mean",) if "mean" in directions else directions:
            of = f" {direction.replace('_', ' ')}" if direction != "mean" else ""
            words = ", ".join(
                f"{name.replace('recall', 'R').replace('_', ' ')} {entry['verdict']}"
                for name, entry in directions[direction].items()
                if not name.endswith("_rank")
            )
            yield f"{segment.replace('_', ' ')}{of}: {words}"


def _tables(differences: dict[str, Any], direction: str, width: int) -> "Iterator[Table]":
    shown = [segment for segment in shown_segments(differences) if direction in differences[segment]]
    scores = {segment: differences[segment][direction] for segment in shown}
    columns = {name: [_difference(name, score[name]) for score in scores.values()] for name in scores["overall"]}
    return score_tables(
        (direction.replace("_", " "),), [(segment.replace("_", " "),) for segment in scores], columns, width
    )


def _difference(name: str, difference: dict[str, Any]) -> "Text":
    """A difference with its sign, starred where there is a verdict, and its interval below it."""
    from rich.text import Text

    value, low, high = difference["value"], difference["low"], difference["high"]
    if value is None:
        return Text("-")
    digits = 1 if name.endswith("_rank") else 2
    if low is None or high is None:
        return Text(f"{value:+.{digits}f}")
    certain = difference["verdict"] in ("better", "worse")
    cell = Text(f"{value:+.{digits}f}{'*' * certain}", style="bold" if certain else "")
    cell.append(f"\n{low:+.{digits}f} {high:+.{digits}f}", style="not bold dim")
    return cell
