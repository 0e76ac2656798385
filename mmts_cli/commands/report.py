"""``mmts report``: a run, a sweep or a folder as one page that opens in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, SeedOption, counted, stage_json

if TYPE_CHECKING:
    from mmts_cli.console import Output


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "report")(report)


def report(
    console: "Output",
    source: Annotated[Path, typer.Argument(help="Folder of a run or a sweep, or a folder with files that mmts wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")],
    annotations: Annotated[
        Path | None, typer.Option("--annotations", help="Annotations file (default: found through SOURCE).")
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", help="Embeddings of the texts, for the map (default: found).")
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option("--media", help="Folder or archive of the images or clips, for thumbnails (default: found)."),
    ] = None,
    clusters: Annotated[Path | None, typer.Option("--clusters", help="Clusters file (default: found).")] = None,
    shifts: Annotated[Path | None, typer.Option("--shifts", help="Shifts file (default: found).")] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            help="Folder that 'mmts eval' wrote (default: found); give it twice for one of retrieval and one of "
            "--protocol classes.",
        ),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", help="Most samples on the map.")] = 100_000,
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Show a run, a sweep or a folder as one web page.

    The page has the tail, a map of the samples, training, scores by frequency, the sweep and the worst queries, as far
    as there are files for each. It is one file that needs no network.

    Example: mmts report run -o report.html

    Example: mmts report sweep -o report.html

    Example: mmts report mmts-demo -o report.html

    Example: mmts report run -o report.html --media images.zip --scores scores
    """
    from pipelines.report import report as run

    result = run(
        source,
        output,
        annotations=annotations,
        text=text,
        media=media,
        clusters=clusters,
        shifts=shifts,
        scores=scores or (),
        sample=sample,
        seed=seed,
        force=force,
        progress=console,
    )
    console.result(stage_json("report", result), lambda: _human(result))


def _human(result: Any) -> Iterator[str]:
    yield result.headline
    samples = result.summary["map_samples"]
    on_map = f", {counted(samples, 'sample')} on the map" if samples else ""
    yield f"{result.summary['bytes'] / 1e6:.1f} MB{on_map}; sections: {', '.join(result.summary['sections'])}"
    for role, path in result.summary["used"].items():
        yield f"  {role}: {path}"
    for line in result.summary["notes"]:
        yield f"chosen: {line}"
    for line in result.summary["left_out"]:
        yield f"left out: {line}"
