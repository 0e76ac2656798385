"""``mmts shifts``: cluster sizes to a shift for each sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, OutputOption, headline, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "shifts")(shifts)


def shifts(
    output: "Output",
    clusters: Annotated[list[Path], typer.Argument(help="One or more clusters files; their shifts are averaged.")],
    path: OutputOption,
    minimum: Annotated[float, typer.Option("--min", help="Shift of the smallest cluster, above 0.")],
    maximum: Annotated[float, typer.Option("--max", help="Shift of the largest cluster.")],
    rule: Annotated[
        Literal["linear", "log", "rank"], typer.Option("--rule", help="How sizes in between are placed.")
    ] = "linear",
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw cluster sizes and shifts of the first file (.png, .svg or .pdf)."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Turn cluster sizes into temperature or margin shifts.

    The smallest cluster gets --min, the largest --max, others lie in between.

    Example: mmts shifts clusters.parquet -o shifts.parquet --min 0.05 --max 0.20
    """
    from pipelines.report.pictures import picture_clusters, require_picture
    from pipelines.shifts import shifts as run

    if picture is not None:
        require_picture(picture, [*clusters, path])
    if picture is not None:
        from pipelines.report.pictures import require_picture

        require_picture(picture, [*clusters, path])
    result = run(clusters, path, minimum=minimum, maximum=maximum, rule=rule, force=force)
    if picture is not None:
        picture_clusters(clusters[0], path, picture)
    output.result(stage_json("shifts", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield headline(result)
    yield (
        f"{summary['rows']:,} shifts, mean of {summary['clusterings']} clustering(s): min {summary['shift_min']:.4g}, "
        f"mean {summary['shift_mean']:.4g}, max {summary['shift_max']:.4g}"
    )
    edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
    most = max(counts)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "█" * round(40 * count / most) or ("▏" if count else "")
        yield f"  {low:.4f} .. {high:.4f}  {bar} {count:,}"
