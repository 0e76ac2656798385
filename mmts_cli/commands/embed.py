"""``mmts embed``: texts to sentence embeddings."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import DeviceOption, ForceOption, OutputOption, headline, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "embed")(embed)


def embed(
    output: "Output",
    annotations: Annotated[Path, typer.Argument(help="annotations.parquet.")],
    path: OutputOption,
    model: Annotated[
        str, typer.Option("--model", help="Hub id or folder of a sentence-transformers model.")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    batch_size: Annotated[int, typer.Option("--batch-size", help="Texts in one forward pass.")] = 64,
    device: DeviceOption = None,
    dtype: Annotated[Literal["float32", "float16"], typer.Option("--dtype", help="Of the stored vectors.")] = "float32",
    force: ForceOption = False,
) -> None:
    """Encode texts with a sentence-transformers model, each distinct text once.

    Example: mmts embed annotations.parquet -o embeddings.parquet
    """
    from pipelines.embed import embed as run

    result = run(
        annotations,
        path,
        model=model,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        force=force,
        progress=output,
    )
    output.result(stage_json("embed", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield headline(result)
    yield (
        f"{summary['rows']:,} rows, {summary['distinct_texts']:,} distinct texts encoded, "
        f"{summary['dimension']} dimensions"
    )
    if summary["max_tokens"] is not None:
        yield f"{summary['truncated_texts']:,} texts truncated at the model's {summary['max_tokens']} tokens"
