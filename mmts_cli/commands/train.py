"""``mmts train``: a dual encoder with a scheduled temperature or margin."""

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.flags import flags_of
from mmts_cli.options import stage_json
from pipelines.train.settings import FLAGS, TrainSettings

if TYPE_CHECKING:
    from mmts_cli.console import Output


def register(app: typer.Typer) -> None:
    """Add the command to the app, with a flag for each setting of a run."""
    own = inspect.signature(train).parameters
    train.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # how `stage_command` learns the flags
        [own["console"], *flags_of(TrainSettings, FLAGS), own["resume"], own["force"]]
    )
    stage_command(app, "train")(train)


def train(
    console: "Output",
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the unfinished run in the folder; start where there is none.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Train even if the run is up to date or unfinished, or the folder holds other files."
        ),
    ] = False,
    **settings: Any,
) -> None:
    """Train a dual encoder on features, images or clips.

    Example: mmts train annotations.parquet -o run --media features.parquet --text embeddings.parquet
    --shifts shifts.parquet --temperature mmts --alpha 0.04

    Example: mmts train annotations.parquet -o run --media images.zip --media-model vit/ --text embeddings.parquet
    --temperature fixed --tau 0.1

    Example: mmts train annotations.parquet -o run --media images.zip --media-model clip/ --text-model clip/
    --projection none --shifts shifts.parquet --devices 4 --precision bf16-mixed --resume
    """
    from pipelines.train import TrainConfig
    from pipelines.train import train as run

    config = TrainConfig(**{name: value for name, value in settings.items() if value is not None})
    result = run(config, resume=resume, force=force, progress=console)
    console.result(stage_json("train", result), lambda: result.shown(console.width))
