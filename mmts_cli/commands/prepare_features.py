"""``mmts prepare features``: vectors of other tools to features.parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, OutputOption, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(prepare: typer.Typer) -> None:
    """Add the command to the group ``mmts prepare``."""
    stage_command(prepare, "features")(features)


def features(
    output: "Output",
    source: Annotated[Path, typer.Argument(help="A .npy, .npz, .safetensors or .parquet file.")],
    path: OutputOption,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids", help="Id of each row, in order, if the file has none: one per line, a JSON list, or .npy."
        ),
    ] = None,
    vectors: Annotated[
        str | None, typer.Option("--vectors", help="Name of the array or column of vectors, if there are several.")
    ] = None,
    id_column: Annotated[
        Literal["media_id", "sample_id"],
        typer.Option("--id-column", help="What the ids name: media_id, or sample_id for embeddings of texts."),
    ] = "media_id",
    force: ForceOption = False,
) -> None:
    """Features that were extracted elsewhere, as features.parquet for --media (or --text).

    Example: mmts prepare features clip.npy --ids names.txt -o features.parquet

    Example: mmts prepare features clip.npz -o features.parquet
    """
    from pipelines.features import prepare_features

    result = prepare_features(source, path, ids=ids, vectors=vectors, id_column=id_column, force=force)
    output.result(stage_json("prepare features", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    yield result.headline
    yield f"{result.summary['rows']:,} vectors of {result.summary['dimension']:,} dimensions"
