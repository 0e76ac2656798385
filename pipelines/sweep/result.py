"""What ``sweep`` found, in words and a table."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import StageResult
from pipelines.remote import located
from pipelines.sweep.found import TABLE, read_sweep
from pipelines.sweep.settings import options_words
from pipelines.sweep.space import OPTIONS
from pipelines.sweep.words import conclusion, plus_minus
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


class SweepResult(StageResult):
    """What ``sweep`` found; its output is the folder, and its summary is what ``sweep.json`` holds."""

    @property
    def table_file(self) -> Path:
        """The runs, a row each."""
        return self.output / TABLE

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """The settings that were chosen, their scores on the test split, and what may be concluded."""
        return _told(self.output, self.summary)


def open_sweep(folder: Path | str) -> SweepResult:
    """The sweep in a folder that ``sweep`` wrote.

    Raises:
        InputError: It holds no finished sweep.
    """
    folder = located(folder)
    return SweepResult(folder, True, read_sweep(folder), opened=True)


def _told(folder: Path, result: dict[str, Any]) -> "Iterator[RenderableType]":
    val_split, test_split = result["val_split"], result["test_split"]
    count, trials = counted(len(result["candidates"]), "setting"), counted(result["trials"], "trial")
    yield (
        f"{folder}: {count}, each the best of {trials} by {result['metric']} on {val_split}, then "
        f"{counted(result['seeds'], 'seed')} on {test_split}"
    )
    for name, why in result["failed"].items():
        yield f"{name} came to nothing: {why}"
    yield ""
    yield f"settings chosen on {val_split} (level: temperature, or margin):"
    yield from map(_setting, result["candidates"])
    used = {name for candidate in result["candidates"] for name in candidate["options"]}
    yield from (f"    {name}: {option.help}" for name, option in OPTIONS.items() if name in used)
    yield ""
    intervals = ", with 95% intervals" if result["seeds"] > 1 else ""
    yield f"scores on {test_split}: mean of R@1, R@5, R@10 of both directions{intervals};"
    yield f"below, the difference from {result['baseline']} (*: better or worse)"
    if result["frequency"] is not None:
        yield f"head, middle, tail: {result['frequency']}"
    yield _table(result)
    yield ""
    yield from conclusion(result)
    if result["frequency"] is not None:
        yield f"what a gain on the tail costs on the head: mmts frontier {shlex.quote(str(folder))}"


def _setting(candidate: dict[str, Any]) -> str:
    edge = " (a level at the edge of those tried)" if candidate["at_edge"] else ""
    return f"  {candidate['name']}: {options_words(candidate['options'])}{edge}"


def _table(result: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column(f"{result['metric']}\non {result['val_split']}", justify="right", no_wrap=True)
    scored = result["candidates"][0]["scores"]
    segments = [name for name in ("overall", "head", "middle", "tail") if "mean" in scored.get(name, {})]
    for segment in segments:
        table.add_column(segment, justify="right", no_wrap=True, vertical="bottom")
    for candidate in result["candidates"]:
        table.add_row(
            candidate["name"],
            f"{candidate['validation']['tests']:.1f}",
            *(_cell(candidate, segment) for segment in segments),
        )
    return table


def _cell(candidate: dict[str, Any], segment: str) -> "Text":
    """A score and half the width of its interval; below it the same of the difference from the baseline."""
    from rich.text import Text

    cell = Text(plus_minus(candidate["scores"][segment]["mean"]["mean_recall"]))
    if "differences" in candidate:
        found = candidate["differences"][segment]["mean"]["mean_recall"]
        certain = found["verdict"] in ("better", "worse")
        cell.append(f"\n{plus_minus(found, '+')}{'*' * certain}", style="bold" if certain else "dim")
    return cell
