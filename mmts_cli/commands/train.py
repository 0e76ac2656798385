"""``mmts train``: a dual encoder with a scheduled temperature or margin."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import DeviceOption, SeedOption, headline, stage_json
from pipelines.contrast import LOSSES, LossName, StrategyName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult

_STRATEGY = "Temperature or margin"
_OPTIMIZER = "Optimizer"
_DATA = "Data"
_TOWERS = "Towers and projection"
_WATCH = "Validation, checkpoints, logs"
_DEVICES = "Devices"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "train")(train)


def train(
    console: "Output",
    annotations: Annotated[Path, typer.Argument(help="annotations.parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write.")],
    media: Annotated[
        Path,
        typer.Option(
            "--media",
            help="features.parquet; or images or clips: a folder, zip, tar shards, Parquet of bytes, or 'annotations': "
            "the paths in their column media.",
        ),
    ],
    text: Annotated[
        Path | None, typer.Option("--text", help="embeddings.parquet of the texts; or give --text-model.")
    ] = None,
    shifts: Annotated[Path | None, typer.Option("--shifts", help="shifts.parquet, for mmts.")] = None,
    media_model: Annotated[
        str | None,
        typer.Option(
            "--media-model",
            help="For pixels: vision or CLIP-like model; config, folder or hub id.",
            rich_help_panel=_TOWERS,
        ),
    ] = None,
    text_model: Annotated[
        str | None,
        typer.Option(
            "--text-model",
            help="Train on the texts themselves: sentence-transformers or CLIP-like model; folder or hub id.",
            rich_help_panel=_TOWERS,
        ),
    ] = None,
    loss: Annotated[LossName, typer.Option("--loss", help="The loss.")] = "infonce",
    temperature: Annotated[
        StrategyName,
        typer.Option("--temperature", help="What sets each pair's temperature, or margin.", rich_help_panel=_STRATEGY),
    ] = "mmts",
    tau: Annotated[
        float | None,
        typer.Option(
            "--tau",
            help="fixed: the temperature or margin; cosine: its mean; learned, isogclr: the first value. "
            "(default: 0.07, margin 0.2)",
            rich_help_panel=_STRATEGY,
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="cosine, mmts: distance from lowest to highest value (default: 0.08, or the smallest shift, or "
            "--tau, where that is too much).",
            rich_help_panel=_STRATEGY,
        ),
    ] = None,
    oscillations: Annotated[
        float | None,
        typer.Option(
            "--oscillations", help="cosine, mmts, ts: full periods in the run (default: 5).", rich_help_panel=_STRATEGY
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
    projection: Annotated[
        Literal["linear", "mlp", "none"],
        typer.Option(
            "--projection", help="Projection on each side; none for the towers' own space.", rich_help_panel=_TOWERS
        ),
    ] = "linear",
    dimension: Annotated[
        int | None,
        typer.Option("--dimension", help="Size of the shared space (default: 512).", rich_help_panel=_TOWERS),
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", help="Frames of a clip; images if not given.", rich_help_panel=_TOWERS)
    ] = None,
    pooling: Annotated[
        Literal["mean", "attention"] | None,
        typer.Option("--pooling", help="Over the frames of a clip (default: mean).", rich_help_panel=_TOWERS),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            "--freeze",
            help="Pattern of parameters not trained, such as 'text_tower.*'; repeatable.",
            rich_help_panel=_TOWERS,
        ),
    ] = None,
    lora_rank: Annotated[
        int | None,
        typer.Option(
            "--lora-rank", help="Train adapters of this rank in place of the towers' weights.", rich_help_panel=_TOWERS
        ),
    ] = None,
    lora_alpha: Annotated[
        float | None,
        typer.Option("--lora-alpha", help="Scale of the adapters (default: twice the rank).", rich_help_panel=_TOWERS),
    ] = None,
    lora_target: Annotated[
        list[str] | None,
        typer.Option(
            "--lora-target",
            help="Modules that get adapters; attention if not given; repeatable.",
            rich_help_panel=_TOWERS,
        ),
    ] = None,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing", help="Less memory for more time: activations twice.", rich_help_panel=_TOWERS
        ),
    ] = False,
    compile_towers: Annotated[
        bool, typer.Option("--compile", help="Compile the towers.", rich_help_panel=_TOWERS)
    ] = False,
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
    layer_decay: Annotated[
        float | None,
        typer.Option(
            "--layer-decay",
            help="Factor of the learning rate from a tower's layer to the one below.",
            rich_help_panel=_OPTIMIZER,
        ),
    ] = None,
    seed: SeedOption = 0,
    split: Annotated[str, typer.Option("--split", help="Split to train on.", rich_help_panel=_DATA)] = "train",
    val_split: Annotated[
        str, typer.Option("--val-split", help="Split to validate on; 'none' for none.", rich_help_panel=_DATA)
    ] = "val",
    positives: Annotated[
        Literal["own", "relevancy"],
        typer.Option(
            "--positives",
            help="Caption of a medium: its own, or in EK-100 any training sentence relevant to the clip, drawn anew.",
            rich_help_panel=_DATA,
        ),
    ] = "own",
    min_relevancy: Annotated[
        float | None,
        typer.Option(
            "--min-relevancy",
            help="With --positives relevancy: what a sentence's relevancy exceeds (default: 0.1).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    augment: Annotated[
        Literal["none", "crop", "strong"],
        typer.Option(
            "--augment", help="Of pixels in training: random crops, or also flips and colours.", rich_help_panel=_DATA
        ),
    ] = "none",
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes that decode media; they change no batch.", rich_help_panel=_DATA),
    ] = None,
    max_bad: Annotated[
        int,
        typer.Option(
            "--max-bad", help="Media that may be damaged: replaced and listed in metrics.json.", rich_help_panel=_DATA
        ),
    ] = 0,
    val_every: Annotated[
        int, typer.Option("--val-every", help="Epochs from one validation to the next.", rich_help_panel=_WATCH)
    ] = 1,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            help="Chooses the best epoch: recall_sum, text_to_media_recall@1 ..., with shifts tail_recall_sum ...",
            rich_help_panel=_WATCH,
        ),
    ] = "recall_sum",
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience", help="Stop after so many validations without a better score.", rich_help_panel=_WATCH
        ),
    ] = None,
    logger: Annotated[
        list[str] | None,
        typer.Option("--logger", help="tensorboard or wandb, as well; repeatable.", rich_help_panel=_WATCH),
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option("--checkpoint-minutes", help="Minutes between checkpoints.", rich_help_panel=_WATCH)
    ] = 10.0,
    checkpoint_steps: Annotated[
        int | None, typer.Option("--checkpoint-steps", help="Steps between checkpoints, too.", rich_help_panel=_WATCH)
    ] = None,
    device: DeviceOption = None,
    devices: Annotated[
        int, typer.Option("--devices", help="Processes on each node, with a device each.", rich_help_panel=_DEVICES)
    ] = 1,
    nodes: Annotated[int, typer.Option("--nodes", help="Nodes.", rich_help_panel=_DEVICES)] = 1,
    parallel: Annotated[
        Literal["auto", "ddp", "fsdp"],
        typer.Option("--parallel", help="How processes share the model.", rich_help_panel=_DEVICES),
    ] = "auto",
    precision: Annotated[
        Literal["32", "bf16-mixed", "16-mixed"],
        typer.Option("--precision", help="Of the towers; losses are float32.", rich_help_panel=_DEVICES),
    ] = "32",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the unfinished run in the folder; start where there is none.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Train even if the run is up to date, unfinished, or the folder is no run's."),
    ] = False,
) -> None:
    """Train a dual encoder on features, images or clips.

    Example: mmts train annotations.parquet -o run --media features.parquet --text embeddings.parquet
    --shifts shifts.parquet --temperature mmts --alpha 0.04

    Example: mmts train annotations.parquet -o run --media images.zip --media-model vit/ --text embeddings.parquet
    --temperature fixed --tau 0.1

    Example: mmts train annotations.parquet -o run --media images.zip --media-model clip/ --text-model clip/
    --projection none --shifts shifts.parquet --devices 4 --precision bf16-mixed --resume
    """
    settings = {name: value for name, value in locals().items() if name not in ("console", "resume", "force")}
    from pipelines.train import TrainConfig
    from pipelines.train import train as run

    repeatable = {name: settings.pop(name) or [] for name in ("freeze", "lora_target", "logger")}
    config = TrainConfig(compile=settings.pop("compile_towers"), **repeatable, **settings)
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
