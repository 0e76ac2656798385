"""``mmts export``: a run's model for other libraries."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, TrustOption, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "export")(export)


def export(
    console: "Output",
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    to: Annotated[
        Literal["transformers", "sentence-transformers", "onnx"],
        typer.Option("--to", help="Library that will load the model."),
    ] = "transformers",
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="Folder that 'mmts eval' wrote for this run, for the model card (default: validation scores).",
        ),
    ] = None,
    trust_remote_code: TrustOption = False,
    force: ForceOption = False,
) -> None:
    """Write a run's model for another library to load.

    The folder has a model card and works without mmts.

    Example: mmts export run --to sentence-transformers -o flickr8k-mmts --scores scores
    """
    from pipelines.export import export as write

    result = write(run, output, to=to, scores=scores, trust_remote_code=trust_remote_code, force=force)
    console.result(stage_json("export", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    yield result.headline
    summary = result.summary
    yield f"loads with {summary['library']}; model card with {_SCORES[summary['scores']]}"
    for side, difference in summary.get("max_difference", {}).items():
        yield f"{side}.onnx: within {difference:.1e} of the run's model on an example"
    for note in summary["notes"]:
        yield f"note: {note}"


_SCORES = {
    "eval": "the scores of mmts eval",
    "validation": "validation scores; --scores takes those of mmts eval",
    "none": "no scores; --scores takes those of mmts eval",
}
