"""``mmts cluster``: which samples belong together."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption, OutputOption, SeedOption, headline, stage_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "cluster")(cluster)


def cluster(
    output: "Output",
    source: Annotated[Path, typer.Argument(help="embeddings.parquet, or annotations.parquet for --method class.")],
    path: OutputOption,
    method: Annotated[
        Literal["kmeans", "hdbscan", "class"], typer.Option("--method", help="How to cluster.")
    ] = "kmeans",
    k: Annotated[int | None, typer.Option("--k", help="kmeans: number of clusters.")] = None,
    seed: SeedOption = 0,
    niter: Annotated[int, typer.Option("--niter", help="kmeans: iterations.")] = 20,
    spherical: Annotated[
        bool, typer.Option("--spherical/--euclidean", help="kmeans: cosine similarity or Euclidean distance.")
    ] = True,
    max_points_per_centroid: Annotated[
        int | None,
        typer.Option("--max-points-per-centroid", min=1, help="kmeans: fit on a sample; all rows if not given."),
    ] = None,
    umap_dims: Annotated[int, typer.Option("--umap-dims", help="hdbscan: dimensions after UMAP; 0 for none.")] = 15,
    umap_neighbors: Annotated[int, typer.Option("--umap-neighbors", min=2, help="hdbscan: UMAP's neighbours.")] = 15,
    min_cluster_size: Annotated[
        int, typer.Option("--min-cluster-size", help="hdbscan: the smallest group that is a cluster.")
    ] = 15,
    noise: Annotated[
        Literal["separate", "nearest", "own"],
        typer.Option(
            "--noise", help="hdbscan: noise is one cluster -1, joins the nearest cluster, or each row is its own."
        ),
    ] = "separate",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="class: the column that is the clustering; repeatable."),
    ] = None,
    fit_split: Annotated[
        str | None,
        typer.Option("--fit-split", help="Split to fit on and count; 'train' where there is one, else all."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Cluster samples, and count the training samples of each cluster.

    Example: mmts cluster embeddings.parquet -o clusters.parquet --k 200

    Example: mmts cluster annotations.parquet -o clusters.parquet --method class --column noun_class
    """
    from pipelines.cluster import cluster as run

    result = run(
        source,
        path,
        method=method,
        k=k,
        seed=seed,
        niter=niter,
        spherical=spherical,
        max_points_per_centroid=max_points_per_centroid,
        umap_dims=umap_dims,
        umap_neighbors=umap_neighbors,
        min_cluster_size=min_cluster_size,
        noise=noise,
        columns=column or [],
        fit_split=fit_split,
        force=force,
    )
    output.result(stage_json("cluster", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield headline(result)
    yield (
        f"{summary['clusters']:,} clusters of {summary['fitted_rows']:,} fitted rows ({summary['rows']:,} in all): "
        f"largest {summary['largest']:,}, smallest {summary['smallest']:,}, Gini {summary['gini']:.3f}"
    )
    yield (
        f"the largest tenth ({summary['top_tenth_clusters']:,} clusters) holds "
        f"{summary['top_tenth_share']:.1f}% of the fitted rows"
    )
    if "noise_rows" in summary:
        yield f"{summary['noise_rows']:,} rows are noise (cluster -1)"
