"""``mmts eval``: scores of retrieval or classification with intervals, by head, middle and tail."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import (
    DeviceOption,
    ForceOption,
    MaxBadOption,
    PrecisionOption,
    RunAnnotationsOption,
    RunMediaOption,
    SeedOption,
    TrustOption,
    WorkersOption,
    stage_json,
)

if TYPE_CHECKING:
    from mmts_cli.console import Output


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "eval")(evaluate)


def evaluate(
    console: "Output",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    run: Annotated[Path | None, typer.Argument(help="Run folder (not needed with --media and --text).")] = None,
    media: RunMediaOption = None,
    text: Annotated[
        Path | None,
        typer.Option(
            "--text",
            help="embeddings.parquet of the texts (default: the run's, if it has any); for classes, of the classes, "
            "in place of prompts.",
        ),
    ] = None,
    annotations: RunAnnotationsOption = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency",
            "--clusters",
            help="What head, middle and tail follow from: a clusters or shifts file, or a column of the annotations "
            "(default: the run's; for classes, their training media).",
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Split to score.")] = "test",
    protocol: Annotated[
        Literal["captions", "pairs", "youcook2", "ek100", "eccv", "classes"],
        typer.Option(
            "--protocol",
            help="captions: several texts per medium; pairs, youcook2: exactly one; ek100: graded relevancy; eccv: "
            "MSCOCO's 5K test split by CxC and ECCV Caption; classes: zero-shot classification.",
        ),
    ] = "captions",
    gallery: Annotated[
        Literal["split", "all"],
        typer.Option("--gallery", help="Media to rank: those of the split, or all of the media file."),
    ] = "split",
    ties: Annotated[
        Literal["index", "optimistic", "pessimistic"],
        typer.Option("--ties", help="Which tied items count as ranked above the positive."),
    ] = "index",
    folds: Annotated[
        int, typer.Option("--folds", min=1, help="Contiguous folds whose scores are averaged; 5 for MSCOCO-1K.")
    ] = 1,
    relevancy: Annotated[
        Path | None,
        typer.Option(
            "--relevancy", help="ek100: file of relevancies, made if missing (default: in the output folder)."
        ),
    ] = None,
    tail_classes: Annotated[
        Path | None,
        typer.Option("--tail-classes", help="ek100: CSV whose column noun lists classes to score separately."),
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="classes: column of the annotations that holds the classes.")
    ] = None,
    templates: Annotated[
        str | None,
        typer.Option(
            "--templates",
            help="classes: plain, photo, video or ensemble, or a text file of prompts, one per line, with {} for the "
            "class (default: plain).",
        ),
    ] = None,
    class_names: Annotated[
        Path | None,
        typer.Option(
            "--class-names",
            help="classes: CSV with columns class and text, or JSON object, with the name of each class (default: the "
            "class, with spaces for underscores).",
        ),
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", help="Bootstrap resamples; 0 for none.")] = 1000,
    seed: SeedOption = 0,
    block_memory: Annotated[
        int, typer.Option("--block-memory", min=1, help="Memory limit of a block of similarities, in MiB.")
    ] = 256,
    device: DeviceOption = None,
    precision: PrecisionOption = "32",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Media or texts in one forward pass (default: by their kind).")
    ] = None,
    workers: WorkersOption = None,
    max_bad: MaxBadOption = 0,
    trust_remote_code: TrustOption = False,
    force: ForceOption = False,
) -> None:
    """Score retrieval in both directions, or classification.

    Scores a run, or two files of embeddings.

    Example: mmts eval run -o scores --split test

    Example: mmts eval --media features.parquet --text embeddings.parquet --annotations annotations.parquet -o scores

    Example: mmts eval run -o zero-shot --annotations other.parquet --media other.zip

    Example: mmts eval run -o scores --protocol ek100 --tail-classes EPIC_100_tail_nouns.csv

    Example: mmts eval run --annotations mscoco.parquet --media coco.parquet --text captions.parquet -o scores
    --protocol eccv

    Example: mmts eval run -o zero-shot --protocol classes --column label --templates photo
    """
    from pipelines.encoding import Encoding
    from pipelines.evaluate import evaluate as score

    result = score(
        output,
        run=run,
        media=media,
        text=text,
        annotations=annotations,
        frequency=frequency,
        split=split,
        protocol=protocol,
        gallery=gallery,
        ties=ties,
        folds=folds,
        relevancy=relevancy,
        tail_classes=tail_classes,
        column=column,
        templates=templates,
        class_names=class_names,
        resamples=resamples,
        seed=seed,
        block_memory=block_memory,
        encoding=Encoding(device, precision, batch_size, workers, max_bad, trust_remote_code),
        force=force,
        progress=console,
    )
    console.result(stage_json("eval", result), lambda: result.shown(console.width))
