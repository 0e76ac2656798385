"""``mmts shifts``: cluster sizes to a shift for each sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, OutputOption, counted, stage_json

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
    minimum: Annotated[
        float | None, typer.Option("--min", help="Shift of the smallest cluster, above 0; with --max.")
    ] = None,
    maximum: Annotated[float | None, typer.Option("--max", help="Shift of the largest cluster; with --min.")] = None,
    tail: Annotated[
        float | None,
        typer.Option(
            "--tail",
            help="Instead of --min and --max: how far frequency moves the shifts around --level, -1 to 1. Above 0 rare "
            "samples get the lower shifts, below 0 frequent ones do.",
        ),
    ] = None,
    level: Annotated[
        float | None, typer.Option("--level", help="The shift that --tail is around, above 0 (default: 0.1).")
    ] = None,
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

    The smallest cluster gets --min, the largest --max, others lie in between. With --tail T, the smallest gets the
    level times 4^-T and the largest the level times 4^T.

    Example: mmts shifts clusters.parquet -o shifts.parquet --min 0.05 --max 0.20

    Example: mmts shifts clusters.parquet -o shifts.parquet --tail -0.3 --level 0.06
    """
    from pipelines.shifts import shifts as run

    if picture is not None:
        from pipelines.plot.style import require_picture

        require_picture(picture, [*clusters, path])
    result = run(
        clusters,
        path,
        minimum=minimum,
        maximum=maximum,
        tail=tail,
        level=level,
        rule=rule,
        force=force,
        progress=output,
    )
    if picture is not None:
        from pipelines.plot.style import write_picture
        from pipelines.plot.tail import draw_tail
        from pipelines.views.tail import read_tail

        tail_seen = read_tail(clusters[0], path)
        title = f"{tail_seen.counted(len(tail_seen))} of {clusters[0].name}"
        write_picture(picture, lambda figure: draw_tail(figure, tail_seen), title=title)
    output.result(stage_json("shifts", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield result.headline
    yield (
        f"{summary['rows']:,} shifts, mean of {counted(summary['clusterings'], 'clustering')}: min "
        f"{summary['shift_min']:.4g}, mean {summary['shift_mean']:.4g}, max {summary['shift_max']:.4g}"
    )
    edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
    most = max(counts)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "█" * round(40 * count / most) or ("▏" if count else "")
        yield f"  {low:.4f} .. {high:.4f}  {bar} {count:,}"
