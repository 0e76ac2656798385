"""``mmts compare``: differences between runs scored on the same queries, with intervals."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, SeedOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.compare.result import Comparison


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


def _human(result: "Comparison", output: Path | None, width: int) -> "Iterator[RenderableType]":
    if output is not None:
        yield f"{output}: written"
    yield from result.shown(width)
