"""``mmts train``: a dual encoder with a scheduled temperature or margin."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.flags import flags_of
from mmts_cli.options import headline, stage_json
from pipelines.contrast import LOSSES
from pipelines.train.settings import FLAGS, TrainSettings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


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
    console.result(stage_json("train", result), lambda: _human(config, result))


def _human(config: Any, result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield headline(result)
    quantity = LOSSES[config.loss].quantity
    # A run of an earlier version, still up to date, doesn't say it.
    settings = summary.get("temperature_settings", {})
    told = f" ({', '.join(f'{name} {number:.4g}' for name, number in settings.items())})" if settings else ""
    yield (
        f"{summary['steps']:,} steps, {summary['epochs']} epochs; {quantity} {summary['temperature_min']:.4g} .. "
        f"{summary['temperature_max']:.4g}{told}; final loss {summary['final_loss']:.4f}"
    )
    if summary["validation"] is not None:
        scores = summary["validation"]
        yield (
            f"best epoch {summary['best_epoch']} by validation: recall sum {scores['recall_sum']:.1f}, "
            f"R@1 {scores['text_to_media_recall@1']:.1f} text to media, "
            f"{scores['media_to_text_recall@1']:.1f} media to text"
        )
