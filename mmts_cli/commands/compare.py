"""``mmts compare``: differences between runs scored on the same queries, with intervals."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, SeedOption, counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from mmts_cli.console import Output


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "compare")(compare)


def compare(
    console: "Output",
    folders: Annotated[
        list[Path],
        typer.Argument(help="Two or more folders that 'mmts eval' wrote; the setting of the first is the baseline."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the comparison to this JSON file.")
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", help="Bootstrap resamples where each setting has one run; 0 for none.")
    ] = 1000,
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Compare settings by runs scored on the same queries.

    Runs that differ in nothing but the seed count as one setting. A verdict takes two seeds or more of each.

    Example: mmts compare fixed-0 fixed-1 fixed-2 mmts-0 mmts-1 mmts-2 -o difference.json
    """
    from pipelines.compare import compare as run

    result = run(folders, output, resamples=resamples, seed=seed, force=force)
    console.result({"command": "compare", **result}, lambda: _human(result, output, console.width))


def _human(result: dict[str, Any], output: Path | None, width: int) -> "Iterator[RenderableType]":
    if output is not None:
        yield f"{output}: written"
    sides = {"text_to_media": "text", "media_to_text": "media"}
    counts = ", ".join(f"{count:,} {sides[direction]} queries" for direction, count in result["queries"].items())
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
        for direction in (*result["queries"], *(["mean"] if len(result["queries"]) > 1 else [])):
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
    for segment, directions in differences.items():
        for direction in ("mean",) if "mean" in directions else directions:
            of = f" {direction.replace('_', ' ')}" if direction != "mean" else ""
            words = ", ".join(
                f"{name.replace('recall', 'R').replace('_', ' ')} {entry['verdict']}"
                for name, entry in directions[direction].items()
                if not name.endswith("_rank")
            )
            yield f"{segment.replace('_', ' ')}{of}: {words}"


def _tables(differences: dict[str, Any], direction: str, width: int) -> "Iterator[Table]":
    from mmts_cli.tables import score_tables

    scores = {segment: of[direction] for segment, of in differences.items() if direction in of}
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
