"""``mmts compare``: differences between runs scored on the same queries, with intervals."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, SeedOption

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
        list[Path], typer.Argument(help="Two or more folders that 'mmts eval' wrote; the first is the baseline.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the comparison to this JSON file.")
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=0, help="Bootstrap resamples; 0 for none.")] = 1000,
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Compare runs that were scored on the same queries.

    Differences overall and by third, with 95% intervals of a paired bootstrap.

    Example: mmts compare fixed/scores scheduled/scores -o difference.json
    """
    from pipelines.compare import compare as run

    result = run(folders, output, resamples=resamples, seed=seed, force=force)
    console.result({"command": "compare", **result}, lambda: _human(result, output, console.width))


def _human(result: dict[str, Any], output: Path | None, width: int) -> "Iterator[RenderableType]":
    if output is not None:
        yield f"{output}: written"
    queries = result["queries"]
    yield (
        f"protocol {result['protocol']}: {queries['text_to_media']:,} text queries, "
        f"{queries['media_to_text']:,} media queries, {result['resamples']:,} paired resamples"
    )
    yield "differences in percentage points, of ranks in places (negative: better); *: the interval leaves out 0"
    for comparison in result["comparisons"]:
        yield ""
        yield f"{comparison['folder']} minus {comparison['baseline']}"
        for direction in ("text_to_media", "media_to_text", "mean"):
            for table in _tables(comparison["differences"], direction, width):
                yield ""
                yield table


def _tables(differences: dict[str, Any], direction: str, width: int) -> "Iterator[Table]":
    from mmts_cli.tables import score_tables

    scores = {segment: of[direction] for segment, of in differences.items() if direction in of}
    columns = {name: [_difference(name, score[name]) for score in scores.values()] for name in scores["overall"]}
    return score_tables(
        (direction.replace("_", " "),), [(segment.replace("_", " "),) for segment in scores], columns, width
    )


def _difference(name: str, difference: dict[str, float | None]) -> "Text":
    """A difference with its sign, starred where its interval leaves out 0, and the interval below it."""
    from rich.text import Text

    value, low, high = difference["value"], difference["low"], difference["high"]
    if value is None:
        return Text("-")
    digits = 1 if name.endswith("_rank") else 2
    if low is None or high is None:
        return Text(f"{value:+.{digits}f}")
    certain = low > 0 or high < 0
    cell = Text(f"{value:+.{digits}f}{'*' * certain}", style="bold" if certain else "")
    cell.append(f"\n{low:+.{digits}f} {high:+.{digits}f}", style="not bold dim")
    return cell
