"""``mmts plan``: the temperatures of a run before it starts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from pipelines.contrast import LossName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.views.band import Band

AlphaOption = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        help="Distance from lowest to highest value (default: 0.08, or the smallest shift where that is too much).",
    ),
]
OscillationsOption = Annotated[
    float | None, typer.Option("--oscillations", help="Full periods over the run (default: 5).")
]
AnnotationsOption = Annotated[
    Path | None, typer.Option("--annotations", help="Count only the samples of --split, as training does.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "plan")(plan)


def plan(
    output: "Output",
    shifts: Annotated[Path, typer.Argument(help="shifts.parquet.")],
    steps: Annotated[int, typer.Option("--steps", help="Optimizer steps of the run.")],
    alpha: AlphaOption = None,
    oscillations: OscillationsOption = None,
    loss: Annotated[
        LossName, typer.Option("--loss", help="Loss of the run: decides whether temperatures or margins are planned.")
    ] = "infonce",
    annotations: AnnotationsOption = None,
    split: Annotated[str, typer.Option("--split", help="Split to train on.")] = "train",
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the band over the steps (.png, .svg or .pdf).")
    ] = None,
) -> None:
    """Show the temperatures or margins that a run would have.

    Settings that 'mmts train' would refuse are refused here too.

    Example: mmts plan shifts.parquet --alpha 0.04 --steps 5000 --picture band.png
    """
    from pipelines.views.band import plan_band

    if picture is not None:
        from pipelines.plot.style import require_picture

        require_picture(picture, [path for path in (shifts, annotations) if path is not None])
    band = plan_band(
        shifts,
        steps=steps,
        alpha=alpha,
        oscillations=oscillations,
        loss=loss,
        annotations=annotations,
        split=split,
    )
    if picture is not None:
        from pipelines.plot.band import draw_band
        from pipelines.plot.style import write_picture

        title = f"{band.quantity} of each third of the samples over the run"
        write_picture(picture, lambda figure: draw_band(figure, band), title=title)
    output.result(
        _json(band, steps, picture), lambda: _human(band, steps, picture, split_known=annotations is not None)
    )


def _json(band: "Band", steps: int, picture: Path | None) -> dict[str, Any]:
    return {
        "command": "plan",
        "quantity": band.quantity,
        "steps": steps,
        "lowest": band.lowest,
        "highest": band.highest,
        "settings": dict(band.settings),
        "thirds_of": band.thirds_of,
        "groups": {
            line.name: {
                "samples": line.samples,
                "cluster_sizes": line.cluster_sizes,
                "min": min(line.minimum),
                "mean": sum(line.mean) / len(line.mean),
                "max": max(line.maximum),
            }
            for line in band.lines
        },
        "picture": None if picture is None else str(picture),
    }


def _human(band: "Band", steps: int, picture: Path | None, *, split_known: bool) -> "Iterator[RenderableType]":
    from rich.table import Table

    settings = ", ".join(f"{name} {number:.4g}" for name, number in band.settings.items())
    yield f"{band.quantity} over {steps:,} steps: {band.lowest:.4g} .. {band.highest:.4g} ({settings})"
    table = Table(box=None, pad_edge=False)
    table.add_column("samples")
    for name in ("count", "cluster sizes", "min", "mean", "max"):
        table.add_column(name, justify="right")
    for line in band.lines:
        sizes = "" if line.cluster_sizes is None else f"{line.cluster_sizes[0]:g}-{line.cluster_sizes[1]:g}"
        values = (min(line.minimum), sum(line.mean) / len(line.mean), max(line.maximum))
        table.add_row(line.name, f"{line.samples:,}", sizes, *(f"{value:.4f}" for value in values))
    yield table
    rest = "" if split_known else "; with --annotations only those of --split count, as in training"
    yield f"thirds of {band.thirds_of}{rest}"
    if picture is not None:
        yield f"{picture}: written"
