"""``mmts advise``: how many clusters, and the mean of how many clusterings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import (
    ByOption,
    ClusterAnnotationsOption,
    FitSplitOption,
    ForceOption,
    JointMediaOption,
    MediaWeightOption,
)
from pipelines.advise.settings import DEFAULT_KS, SAMPLE, SEEDS

if TYPE_CHECKING:
    from mmts_cli.console import Output
    from pipelines.cluster.subject import What


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "advise")(advise)


def advise(
    console: "Output",
    source: Annotated[Path, typer.Argument(help="embeddings.parquet; features.parquet for --by media.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the table to this Parquet file.")
    ] = None,
    ks: Annotated[
        str | None,
        typer.Option(
            "--k",
            help=f"Numbers of clusters to try (default: {','.join(map(str, DEFAULT_KS))}, without those above half the "
            "distinct texts).",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Clusterings of each k.")] = SEEDS,
    rule: Annotated[
        Literal["linear", "log", "rank"], typer.Option("--rule", help="How sizes become shifts, as for 'mmts shifts'.")
    ] = "log",
    sample: Annotated[
        int, typer.Option("--sample", help="Samples to compute silhouettes on, drawn at random.")
    ] = SAMPLE,
    by: ByOption = "text",
    annotations: ClusterAnnotationsOption = None,
    media: JointMediaOption = None,
    media_weight: MediaWeightOption = None,
    fit_split: FitSplitOption = None,
    force: ForceOption = False,
) -> None:
    """Advise on the number of clusters, and of clusterings.

    Shifts follow from cluster sizes, and those from the seed of the clustering. This compares the shifts that several
    seeds give, and recommends the k that takes the fewest clusterings for shifts that others would give too.

    Example: mmts advise embeddings.parquet

    Example: mmts advise embeddings.parquet --k 100,300,1000 --seeds 16 -o advice.parquet
    """
    from mmts_cli.advice import numbers, show
    from pipelines.advise import Settings
    from pipelines.advise import advise as run

    settings = Settings(None if ks is None else numbers(ks, "--k"), seeds, rule, sample)
    what: What = {
        "by": by,
        "annotations": annotations,
        "media": media,
        "media_weight": media_weight,
        "fit_split": fit_split,
    }
    result = run(source, output, settings=settings, force=force, progress=console, tell=console.note, **what)
    show(console, "advise", result, what)
