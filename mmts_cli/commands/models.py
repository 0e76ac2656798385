"""``mmts models import``: the checkpoints that people start from, as folders that transformers loads."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    models = typer.Typer(no_args_is_help=True, help="Turn a checkpoint into a folder that transformers loads.")
    stage_command(models, "import")(import_)
    app.add_typer(models, name="models")


def import_(
    console: "Output",
    checkpoint: Annotated[Path, typer.Argument(help="File with the weights: .pt, .pth, .bin or .safetensors.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    origin: Annotated[
        Literal["avion", "lavila", "openai-clip", "open_clip"],
        typer.Option("--from", help="The code that wrote the checkpoint."),
    ],
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            help="Folder of a CLIP, hub id, or CLIP's bpe_simple_vocab_16e6.txt.gz (default: CLIP's from the hub).",
        ),
    ] = None,
    activation: Annotated[
        Literal["gelu", "quick-gelu"] | None,
        typer.Option("--activation", help="Of an open_clip model without open_clip_config.json beside its weights."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", min=1, help="Frames to interpolate embeddings of time for (default: as it is)."),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", min=1, help="Pixels to interpolate position embeddings for (default: as it is)."),
    ] = None,
    norm_style: Annotated[
        Literal["openai", "timm"] | None,
        typer.Option(
            "--norm-style",
            help="Pixel statistics of avion and lavila (default: by the checkpoint's own arguments, else openai).",
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Turn a checkpoint into a folder for --media-model and --text-model.

    Nothing in the checkpoint runs: a pickle is read as far as it holds plain weights, or refused.

    Example: mmts models import avion_pretrain_lavila_vitb_best.pt --from avion --frames 16 -o avion-vitb
    """
    from pipelines.import_model import import_model

    result = import_model(
        checkpoint,
        output,
        origin=origin,
        tokenizer=tokenizer,
        activation=activation,
        frames=frames,
        image_size=image_size,
        norm_style=norm_style,
        force=force,
    )
    console.result(stage_json("models import", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield result.headline
    frames = "" if summary["frames"] is None else f"{summary['frames']} frames of "
    yield (
        f"{summary['class']}, {summary['parameters']:,} parameters: {frames}{summary['image_size']} x "
        f"{summary['image_size']} pixels and {summary['tokens']} tokens into {summary['dimension']} dimensions"
    )
