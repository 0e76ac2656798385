"""``mmts cluster``: which samples belong together."""

import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import (
    AddressOption,
    ByOption,
    ClusterAnnotationsOption,
    ClusterDeviceOption,
    EngineOption,
    FitSplitOption,
    ForceOption,
    JointMediaOption,
    MediaWeightOption,
    OutputOption,
    stage_json,
)
from pipelines.advise.settings import SEEDS
from pipelines.cluster.method import Option
from pipelines.cluster.methods import DEFAULT, METHODS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult
    from pipelines.cluster.subject import What

_SWEEP = "Several numbers of clusters and seeds"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "cluster")(_with_options_of_methods(cluster))


def cluster(
    output: "Output",
    source: Annotated[
        Path,
        typer.Argument(
            help="embeddings.parquet; features.parquet for --by media; annotations.parquet for --method class."
        ),
    ],
    path: OutputOption,
    method: Annotated[
        str,
        typer.Option("--method", help=f"{'; '.join(f'{each.name}: {each.description}' for each in METHODS.values())}."),
    ] = DEFAULT,
    by: ByOption = "text",
    annotations: ClusterAnnotationsOption = None,
    media: JointMediaOption = None,
    media_weight: MediaWeightOption = None,
    fit_split: FitSplitOption = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            help="k-means with each of these numbers of clusters, such as 50,100,200: --output is then a folder, which "
            "also gets the table of 'mmts advise'.",
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", help=f"Clusterings of each k, with seeds from 0 (default: {SEEDS}).", rich_help_panel=_SWEEP
        ),
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    device: ClusterDeviceOption = "cpu",
    force: ForceOption = False,
    **options: Any,
) -> None:
    """Cluster samples, and count the training samples of each cluster.

    Example: mmts cluster embeddings.parquet -o clusters.parquet --k 200

    Example: mmts cluster embeddings.parquet -o clusters.parquet --k 200 --annotations annotations.parquet

    Example: mmts cluster features.parquet -o clusters.parquet --k 200 --by media --annotations annotations.parquet

    Example: mmts cluster annotations.parquet -o clusters.parquet --method class --column noun_class

    Example: mmts cluster embeddings.parquet -o clusters --sweep 50,100,200 --seeds 5
    """
    from pipelines.cluster import cluster as run
    from pipelines.engines import Engine
    from pipelines.errors import InputError

    what: What = {
        "by": by,
        "annotations": annotations,
        "media": media,
        "media_weight": media_weight,
        "fit_split": fit_split,
    }
    if sweep is not None:
        if method != "kmeans":
            raise InputError(f"--sweep: is for --method kmeans; leave it out with {method}")
        if engine != "local":
            raise InputError(f"--engine {engine}: is for one clustering; leave it out with --sweep")
        if device != "cpu":
            raise InputError(f"--device {device}: is for one clustering; leave it out with --sweep")
        _sweep(output, source, path, sweep, seeds, force, what, options)
        return
    if seeds is not None:
        raise InputError("--seeds: is for --sweep; --seed is that of one clustering")
    result = run(
        source,
        path,
        method=method,
        engine=Engine(engine, address),
        device=device,
        force=force,
        progress=output,
        **what,
        **options,
    )
    output.result(stage_json("cluster", result), lambda: _human(result))


def _sweep(
    output: "Output",
    source: Path,
    folder: Path,
    sweep: str,
    seeds: int | None,
    force: bool,
    what: "What",
    options: dict[str, Any],
) -> None:
    from mmts_cli.advice import numbers, show
    from pipelines.advise import Settings, cluster_sweep

    result = cluster_sweep(
        source,
        folder,
        settings=Settings(numbers(sweep, "--sweep"), SEEDS if seeds is None else seeds),
        options=options,
        force=force,
        progress=output,
        tell=output.note,
        **what,
    )
    show(output, "cluster", result, {**options, **what})


def _with_options_of_methods(function: Any) -> Any:
    """The command with the options that the methods declare in place of its ``**options``."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    owners: dict[Option, list[str]] = {}
    for method in METHODS.values():
        for option in method.options:
            owners.setdefault(option, []).append(method.name)
    others = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,  # what wasn't given: the method knows its defaults, and refuses what is another's
            annotation=Annotated[
                option.kind | None,
                typer.Option(option.flags, help=_help(option), rich_help_panel=f"--method {' or '.join(names)}"),
            ],
        )
        for option, names in owners.items()
    ]
    choices = Annotated[Literal[tuple(METHODS)], *signature.parameters["method"].annotation.__metadata__]
    own = [each.replace(annotation=choices) if each.name == "method" else each for each in own]
    function.__signature__ = signature.replace(parameters=[*own, *others])
    return function


def _help(option: Option) -> str:
    """``Iterations. (default: 20)``."""
    text = f"{option.help[0].upper()}{option.help[1:].removesuffix('.')}."
    if option.default is None:
        return text
    default = option.flags.split("/")[not option.default] if isinstance(option.default, bool) else option.default
    return f"{text} (default: {default})"


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    yield result.headline
    yield from _neighborhoods(result.summary) if "least_similarity" in result.summary else _clusters(result.summary)
    if sampled := result.summary.get("sampled_rows"):
        yield f"by a random sample of {sampled:,} of the fitted rows: all of them would not fit in memory"
    if duplicates := _duplicates(result.summary):
        yield duplicates
    if "labels" in result.summary:
        yield f"labels in {result.summary['labels']}; see them with mmts inspect {shlex.quote(str(result.output))}"


def _clusters(summary: dict[str, Any]) -> "Iterator[str]":
    noise = f" and {summary['fitted_noise_rows']:,} rows of noise, each of size 1," if "noise_rows" in summary else ""
    yield (
        f"{summary['clusters']:,} clusters{noise} of {summary['fitted_rows']:,} fitted rows ({summary['rows']:,} in "
        f"all): largest {summary['largest']:,}, smallest {summary['smallest']:,}, Gini {summary['gini']:.3f}"
    )
    yield (
        f"the largest tenth ({summary['top_tenth_clusters']:,} clusters) holds "
        f"{summary['top_tenth_share']:.1f}% of the fitted rows"
    )


def _neighborhoods(summary: dict[str, Any]) -> "Iterator[str]":
    yield (
        f"neighborhoods of cosine similarity {summary['least_similarity']:.3f} or more among "
        f"{summary['fitted_rows']:,} fitted rows ({summary['rows']:,} in all): largest {summary['largest']:,}, median "
        f"{summary['median']:,.0f}, smallest {summary['smallest']:,}"
    )
    yield (
        f"neighborhoods overlap; clusters that don't, with each row in one of its neighborhood's size, would be "
        f"{summary['effective_clusters']:,.0f}, of Gini {summary['gini']:.3f} (0: all of one size)"
    )
    if summary["recall"] < 1:
        yield f"by an approximate index, which finds {100 * summary['recall']:.1f}% of the neighbors of a sample"


def _duplicates(summary: dict[str, Any]) -> str:
    """What the fitted rows have in common; empty if nothing."""
    repeated = summary.get("repeated_vectors", 0)  # files of an earlier mmts lack it
    if "fitted_media" in summary:
        return (
            f"fitted on {summary['fitted_media']:,} media (shared by several rows: {summary['shared_media']:,}; "
            f"repeated vectors: {repeated:,})"
        )
    return f"repeated vectors among the fitted rows: {repeated:,}; each row counts" if repeated else ""
