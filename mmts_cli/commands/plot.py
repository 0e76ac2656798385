"""``mmts plot``: figures for papers, one command a kind."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.commands.frontier import PreferOption
from mmts_cli.commands.plan import AlphaOption, AnnotationsOption, OscillationsOption
from mmts_cli.options import SeedOption
from mmts_cli.pictures import PAGE, PictureOption, TitleOption, WidthOption, draw_picture, require_picture
from pipelines.contrast import LossName
from pipelines.errors import InputError

if TYPE_CHECKING:
    from mmts_cli.console import Output

TrainedOption = Annotated[
    Path | None,
    typer.Option(
        "--annotations", help="Of clusters by --method knn, count the training samples alone (default: all samples)."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    plot = typer.Typer(no_args_is_help=True, help="Draw a figure for a paper: fonts embedded, colour-blind safe.")
    stage_command(plot, "map")(map_)
    for command in (tail, shifts, band, curves, thirds, frontier):
        stage_command(plot, command.__name__)(command)
    app.add_typer(plot, name="plot")


def tail(
    console: "Output",
    clusters: Annotated[Path, typer.Argument(help="clusters.parquet.")],
    path: PictureOption,
    shift_file: Annotated[
        Path | None, typer.Argument(metavar="[SHIFTS]", help="shifts.parquet, to draw the shift of each cluster below.")
    ] = None,
    annotations: TrainedOption = None,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """The long tail: cluster sizes, largest first, by head, middle and tail.

    Of clusters by --method knn, which overlap, the samples are drawn, each with the size of its neighborhood.

    Example: mmts plot tail clusters.parquet shifts.parquet -o tail.pdf
    """
    from pipelines.plot.tail import draw_tail
    from pipelines.views.tail import read_tail

    require_picture(path, (clusters, shift_file, annotations), width)
    seen = read_tail(clusters, shift_file, annotations)
    draw_picture(console, "tail", path, lambda figure: draw_tail(figure, seen), width, title)


def map_(
    console: "Output",
    embeddings: Annotated[Path, typer.Argument(help="embeddings.parquet, or features.parquet for a map of the media.")],
    clusters: Annotated[Path, typer.Argument(help="clusters.parquet.")],
    path: PictureOption,
    annotations: Annotated[Path, typer.Option("--annotations", help="annotations.parquet.")],
    color: Annotated[
        Literal["cluster", "size", "recall"] | None,
        typer.Option(
            "--color",
            help="cluster: the six largest; size: training samples in the cluster; recall: R@10 of the cluster's "
            "queries (default: cluster; of clusters by --method knn, which overlap, size).",
        ),
    ] = None,
    scores: Annotated[Path | None, typer.Option("--scores", help="For recall: folder that 'mmts eval' wrote.")] = None,
    seed: SeedOption = 0,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """A map of the samples, in which what reads (or looks) alike lies together.

    By UMAP, which takes a minute for 40,000 samples; of more than 100,000, so many are drawn by chance. Clusters are
    called by their words where 'mmts cluster' has written them.

    Example: mmts plot map embeddings.parquet clusters.parquet --annotations annotations.parquet -o map.png

    Example: mmts plot map embeddings.parquet clusters.parquet --annotations annotations.parquet --color recall
    --scores eval -o map.pdf
    """
    from pipelines.artifacts import read_labels
    from pipelines.plot.map import choose_color, draw_map
    from pipelines.views.map import read_map

    if (color == "recall") != (scores is not None):
        raise InputError("--scores and --color recall go together; give both, or neither")
    require_picture(path, [embeddings, clusters, annotations], width)
    by = choose_color(clusters, color)
    seen = read_map(embeddings, annotations, clusters=clusters, scores=scores, seed=seed)
    labels = read_labels(clusters)
    words = {row["cluster"]: ", ".join(row["words"][:3]) for row in ([] if labels is None else labels.to_pylist())}
    draw_picture(
        console, "map", path, lambda figure: draw_map(figure, seen, by, words), width, title, places=seen.method
    )


def shifts(
    console: "Output",
    clusters: Annotated[Path, typer.Argument(help="clusters.parquet.")],
    path: PictureOption,
    annotations: TrainedOption = None,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """Shifts under each --rule of 'mmts shifts': by cluster size, and how many samples get which.

    Shifts are shares of the range: 0 is that of the smallest cluster, 1 that of the largest.

    Example: mmts plot shifts clusters.parquet -o shifts.pdf --width 8.4
    """
    from pipelines.plot.shifts import draw_shifts
    from pipelines.views.shifts import read_shift_rules

    require_picture(path, (clusters, annotations), width)
    seen = read_shift_rules(clusters, annotations=annotations)
    draw_picture(console, "shifts", path, lambda figure: draw_shifts(figure, seen), width, title)


def band(
    console: "Output",
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN|SHIFTS", help="Folder of a run with --temperature mmts; or shifts.parquet."),
    ],
    path: PictureOption,
    steps: Annotated[int | None, typer.Option("--steps", help="With SHIFTS: optimizer steps of the run.")] = None,
    alpha: AlphaOption = None,
    oscillations: OscillationsOption = None,
    loss: Annotated[
        LossName | None,
        typer.Option("--loss", help="Loss of the run: decides between temperatures and margins (default: infonce)."),
    ] = None,
    annotations: AnnotationsOption = None,
    split: Annotated[str | None, typer.Option("--split", help="Split to train on (default: train).")] = None,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """Temperatures, or margins, of head, middle and tail over the steps of a run.

    A run's are those it was trained with. With SHIFTS they are planned, by the same flags as 'mmts plan'.

    Example: mmts plot band run -o band.pdf

    Example: mmts plot band shifts.parquet --steps 5000 --alpha 0.04 -o band.pdf
    """
    from pipelines.plot.band import draw_band
    from pipelines.views.band import band_of_run, plan_band

    settings = {"alpha": alpha, "oscillations": oscillations, "loss": loss, "annotations": annotations, "split": split}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    require_picture(path, (None if source.is_dir() else source, annotations), width)
    if source.is_dir():
        if steps is not None or given:
            flag = "steps" if steps is not None else next(iter(given))
            raise InputError(f"--{flag}: is for SHIFTS; {source} is a run, which says it itself; leave it out")
        seen = band_of_run(source)
    elif steps is None:
        raise InputError("--steps is missing: with shifts, say how many optimizer steps the run is to have")
    else:
        seen = plan_band(source, steps=steps, **given)
    draw_picture(console, "band", path, lambda figure: draw_band(figure, seen), width, title)


def curves(
    console: "Output",
    runs: Annotated[list[Path], typer.Argument(help="One or more run folders.")],
    path: PictureOption,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """Training curves: loss, validation score, temperature (or margin) and learning rate.

    A run that is still being trained has no validation scores yet.

    Example: mmts plot curves baseline mmts -o curves.pdf
    """
    from pipelines.plot.curves import draw_curves
    from pipelines.views.curves import read_curves
    from pipelines.views.names import names_apart

    require_picture(path, [run / name for run in runs for name in ("steps.parquet", "metrics.json")], width)
    seen = [read_curves(run, name=name) for run, name in zip(runs, names_apart(runs), strict=True)]
    draw_picture(console, "curves", path, lambda figure: draw_curves(figure, seen), width, title)


def thirds(
    console: "Output",
    scores: Annotated[list[Path], typer.Argument(help="One or more folders that 'mmts eval' wrote.")],
    path: PictureOption,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """Scores of head, middle and tail with 95% intervals, the mean of both directions.

    Of 'mmts eval --protocol classes', those of classes with many, medium and few training media.

    Example: mmts plot thirds baseline/eval mmts/eval -o thirds.pdf
    """
    from pipelines.plot.thirds import draw_thirds
    from pipelines.scores.queries import SHOTS_IN_WORDS
    from pipelines.views.classes import ClassScores, read_by_frequency
    from pipelines.views.names import names_apart

    require_picture(path, [folder / "metrics.json" for folder in scores], width)
    seen = [read_by_frequency(folder, name=name) for folder, name in zip(scores, names_apart(scores), strict=True)]
    of_classes = any(isinstance(each, ClassScores) for each in seen)
    said = {"groups": f"many, medium and few are {SHOTS_IN_WORDS}"} if of_classes else {}
    draw_picture(console, "thirds", path, lambda figure: draw_thirds(figure, seen), width, title, **said)


def frontier(
    console: "Output",
    sweep: Annotated[Path, typer.Argument(help="Folder that 'mmts sweep' wrote.")],
    path: PictureOption,
    prefer: PreferOption = None,
    width: WidthOption = PAGE,
    title: TitleOption = "",
) -> None:
    """The trials of a sweep: head against tail recall, and the Pareto front.

    Example: mmts plot frontier sweep --prefer tail -o frontier.pdf
    """
    from pipelines.plot.frontier import draw_frontier
    from pipelines.sweep import frontier as run
    from pipelines.views.frontier import frontier_of

    require_picture(path, [], width)
    seen = frontier_of(run(sweep, prefer=prefer))
    draw_picture(console, "frontier", path, lambda figure: draw_frontier(figure, seen), width, title)
