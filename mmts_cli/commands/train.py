"""``mmts train``: a dual encoder with a scheduled temperature or margin."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import DeviceOption, SeedOption, headline, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult

_STRATEGY = "Temperature or margin"
_OPTIMIZER = "Optimizer"
_DATA = "Data"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "train")(train)


def train(
    console: "Output",
    annotations: Annotated[Path, typer.Argument(help="annotations.parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write.")],
    media: Annotated[Path, typer.Option("--media", help="features.parquet, or a folder or zip of images.")],
    text: Annotated[Path, typer.Option("--text", help="embeddings.parquet of the texts.")],
    shifts: Annotated[Path | None, typer.Option("--shifts", help="shifts.parquet, for mmts.")] = None,
    media_model: Annotated[
        str | None, typer.Option("--media-model", help="For images: vision model config, folder or hub id.")
    ] = None,
    loss: Annotated[Literal["infonce", "max-margin"], typer.Option("--loss", help="The loss.")] = "infonce",
    temperature: Annotated[
        Literal["fixed", "learned", "cosine", "mmts", "mmts-learned", "ts", "isogclr", "tempnet"],
        typer.Option("--temperature", help="What sets each pair's temperature, or margin.", rich_help_panel=_STRATEGY),
    ] = "mmts",
    tau: Annotated[
        float | None,
        typer.Option(
            "--tau",
            help="fixed: the temperature or margin; cosine: its mean; learned, isogclr: the first value. "
            "[default: 0.07, margin 0.2]",
            rich_help_panel=_STRATEGY,
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="cosine, mmts: distance from lowest to highest value. [default: 0.08]",
            rich_help_panel=_STRATEGY,
        ),
    ] = None,
    oscillations: Annotated[
        float | None,
        typer.Option(
            "--oscillations", help="cosine, mmts, ts: full periods in the run. [default: 5]", rich_help_panel=_STRATEGY
        ),
    ] = None,
    tau_min: Annotated[
        float | None, typer.Option("--tau-min", help="ts, isogclr, tempnet: lowest.", rich_help_panel=_STRATEGY)
    ] = None,
    tau_max: Annotated[
        float | None, typer.Option("--tau-max", help="ts, isogclr, tempnet: highest.", rich_help_panel=_STRATEGY)
    ] = None,
    rho: Annotated[
        float | None,
        typer.Option(
            "--rho", help="isogclr, tempnet: weight of the temperature in the objective.", rich_help_panel=_STRATEGY
        ),
    ] = None,
    head: Annotated[Literal["linear", "mlp"], typer.Option("--head", help="Projection on each side.")] = "linear",
    dimension: Annotated[int, typer.Option("--dimension", help="Size of the shared space.")] = 512,
    epochs: Annotated[
        int, typer.Option("--epochs", help="Times each medium is seen, with one caption.", rich_help_panel=_OPTIMIZER)
    ] = 30,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Pairs in a step.", rich_help_panel=_OPTIMIZER)] = 512,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            "--micro-batch",
            help="Pairs embedded at a time: the gradients of the whole batch in the memory of a part of it.",
            rich_help_panel=_OPTIMIZER,
        ),
    ] = None,
    lr: Annotated[
        float, typer.Option("--lr", help="Highest learning rate of AdamW.", rich_help_panel=_OPTIMIZER)
    ] = 1e-3,
    min_lr: Annotated[
        float, typer.Option("--min-lr", help="Learning rate at the end of the cosine.", rich_help_panel=_OPTIMIZER)
    ] = 0.0,
    warmup_epochs: Annotated[
        float, typer.Option("--warmup-epochs", help="Epochs of linear warm-up.", rich_help_panel=_OPTIMIZER)
    ] = 1.0,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", help="Of matrices.", rich_help_panel=_OPTIMIZER)
    ] = 0.01,
    max_grad_norm: Annotated[
        float | None,
        typer.Option("--max-grad-norm", help="Bound on the gradient's norm; none.", rich_help_panel=_OPTIMIZER),
    ] = None,
    seed: SeedOption = 0,
    split: Annotated[str, typer.Option("--split", help="Split to train on.", rich_help_panel=_DATA)] = "train",
    val_split: Annotated[
        str, typer.Option("--val-split", help="Split to validate on; 'none' for none.", rich_help_panel=_DATA)
    ] = "val",
    device: DeviceOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even if the run is up to date, or the folder is no run's.")
    ] = False,
) -> None:
    """Train a dual encoder on features or images.

    Example: mmts train annotations.parquet -o run --media features.parquet --text embeddings.parquet
    --shifts shifts.parquet --temperature mmts --alpha 0.04

    Example: mmts train annotations.parquet -o run --media images.zip --media-model vit/ --text embeddings.parquet
    --temperature fixed --tau 0.1
    """
    from pipelines.train import TrainConfig
    from pipelines.train import train as run

    config = TrainConfig(
        annotations=annotations,
        output=output,
        media=media,
        text=text,
        shifts=shifts,
        media_model=media_model,
        loss=loss,
        temperature=temperature,
        tau=tau,
        alpha=alpha,
        oscillations=oscillations,
        tau_min=tau_min,
        tau_max=tau_max,
        rho=rho,
        head=head,
        dimension=dimension,
        epochs=epochs,
        batch_size=batch_size,
        micro_batch=micro_batch,
        lr=lr,
        min_lr=min_lr,
        warmup_epochs=warmup_epochs,
        weight_decay=weight_decay,
        max_grad_norm=max_grad_norm,
        seed=seed,
        split=split,
        val_split=val_split,
        device=device,
    )
    result = run(config, force=force, progress=console)
    console.result(stage_json("train", result), lambda: _human(config, result))


def _human(config: Any, result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield headline(result)
    quantity = "temperature" if config.loss == "infonce" else "margin"
    yield (
        f"{summary['steps']:,} steps, {summary['epochs']} epochs; {quantity} {summary['temperature_min']:.4g} .. "
        f"{summary['temperature_max']:.4g}; final loss {summary['final_loss']:.4f}"
    )
    if summary["validation"] is not None:
        scores = summary["validation"]
        yield (
            f"best epoch {summary['best_epoch']} by validation: recall sum {scores['recall_sum']:.1f}, "
            f"R@1 {scores['text_to_media_recall@1']:.1f} text to media, "
            f"{scores['media_to_text_recall@1']:.1f} media to text"
        )
