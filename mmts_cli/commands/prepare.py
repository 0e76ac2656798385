"""``mmts prepare``: a data set as it was downloaded to annotations.parquet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmts_cli.command import stage_command
from mmts_cli.commands import prepare_features
from mmts_cli.commands.prepare_imbalance import (
    ByOption,
    ImbalanceOption,
    ImbalanceSeedOption,
    ProfileOption,
    imbalance_line,
    imbalance_of,
)
from mmts_cli.options import ForceOption, OutputOption, stage_json
from pipelines.catalogue import DATA_SETS, DataSet

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult

AllowPartialOption = Annotated[
    bool,
    typer.Option(
        "--allow-partial",
        help="Leave out what is missing or can't be used, with a warning and a list in OUTPUT.left-out.csv.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    prepare = typer.Typer(no_args_is_help=True, help="Turn a data set into annotations.parquet.")
    stage_command(prepare, "table")(table)
    prepare_features.register(prepare)
    stage_command(prepare, "flickr8k")(flickr8k)
    for data_set in DATA_SETS.values():
        stage_command(prepare, data_set.name)(_published(data_set))
    prepare.callback()(_group)
    app.add_typer(prepare, name="prepare")


def _list_data_sets(show: bool) -> None:
    if show:
        for data_set in DATA_SETS.values():
            typer.echo("\n".join(_describe(data_set)) + "\n")
        raise typer.Exit


def _group(
    show: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Show the published data sets, what to download, and from where.",
            is_eager=True,
            callback=_list_data_sets,
        ),
    ] = False,
) -> None:
    """Options of ``mmts prepare`` itself."""


def _describe(data_set: DataSet) -> Iterator[str]:
    yield f"{data_set.name}: {data_set.title}"
    for number, way in enumerate(data_set.ways):
        yield "  download" if number == 0 else "  or"
        for download in way:
            yield f"    {' or '.join(download.names)} ({', '.join(download.splits)})"
            yield f"        from {download.source}"
    yield f"  media (--media-root): {data_set.media}"
    yield f"  {data_set.notes}"


def _published(data_set: DataSet) -> Callable[..., None]:
    """The command that prepares one published data set; all have the same flags."""

    def command(
        output: "Output",
        path: OutputOption,
        root: Annotated[
            Path, typer.Option("--root", help="Folder with the files, under their published names, at any depth.")
        ],
        split: Annotated[
            str | None, typer.Option("--split", help=f"One of {', '.join(data_set.splits)} (default: all).")
        ] = None,
        media_root: Annotated[
            Path | None,
            typer.Option("--media-root", help=f"Folder of the media, to link samples to: {data_set.media}."),
        ] = None,
        imbalance: ImbalanceOption = None,
        profile: ProfileOption = None,
        by: ByOption = None,
        seed: ImbalanceSeedOption = None,
        allow_partial: AllowPartialOption = False,
        force: ForceOption = False,
    ) -> None:
        from pipelines.annotations import prepare_published

        result = prepare_published(
            data_set.name,
            root,
            path,
            split=split,
            media_root=media_root,
            imbalance=imbalance_of(imbalance, profile, by, seed),
            allow_partial=allow_partial,
            force=force,
        )
        output.result(stage_json(f"prepare {data_set.name}", result), lambda: _human(result))

    needs = "; or ".join(", ".join(download.names[0] for download in way) for way in data_set.ways)
    command.__doc__ = (
        f"{data_set.title}\n\nFiles, found below --root and checked against the published counts: {needs}. "
        f"'mmts prepare --list' says where they come from.\n\n{data_set.notes}\n\n"
        f"Example: mmts prepare {data_set.name} --root downloads -o annotations.parquet"
    )
    return command


def table(
    output: "Output",
    source: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv, .json, .jsonl or .parquet file, a folder of them, or a pattern in quotes."),
    ],
    path: OutputOption,
    text_column: Annotated[str, typer.Option("--text-column", help="Column of texts, or of lists of texts.")],
    id_column: Annotated[
        str | None,
        typer.Option("--id-column", help="Unique column that names a sample (default: ids made from the content)."),
    ] = None,
    media_column: Annotated[
        str | None, typer.Option("--media-column", help="Column with the path or URI of the medium.")
    ] = None,
    media_id_column: Annotated[
        str | None, typer.Option("--media-id-column", help="Column that names the medium; several rows may share one.")
    ] = None,
    split_column: Annotated[
        str | None, typer.Option("--split-column", help="Column with the split (Train, dev, ... are understood).")
    ] = None,
    class_column: Annotated[
        list[str] | None,
        typer.Option("--class-column", help="Column for 'cluster --method class', checked for nulls; repeatable."),
    ] = None,
    start_column: Annotated[
        str | None, typer.Option("--start-column", help="Column with the start of the clip, in seconds.")
    ] = None,
    end_column: Annotated[
        str | None, typer.Option("--end-column", help="Column with the end of the clip, in seconds.")
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option("--separator", help="Between cells: a character, comma, tab, semicolon or pipe (default: found)."),
    ] = None,
    quote: Annotated[
        str | None, typer.Option("--quote", help="Around cells: a character, or none (default: found).")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Of a text file (default: by its byte order mark, else UTF-8).")
    ] = None,
    imbalance: ImbalanceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    seed: ImbalanceSeedOption = None,
    allow_partial: AllowPartialOption = False,
    force: ForceOption = False,
) -> None:
    """Any table with a column of text; columns not named here are carried along.

    Example: mmts prepare table captions.csv --text-column caption --media-id-column image --split-column split
    -o annotations.parquet

    Example: mmts prepare table captions.csv --text-column caption --split-column split --imbalance 100 --by noun
    -o long-tail.parquet
    """
    from pipelines.annotations import prepare_table

    result = prepare_table(
        source,
        path,
        text_column=text_column,
        id_column=id_column,
        media_column=media_column,
        media_id_column=media_id_column,
        split_column=split_column,
        class_columns=class_column or [],
        start_column=start_column,
        end_column=end_column,
        separator=separator,
        quote=quote,
        encoding=encoding,
        imbalance=imbalance_of(imbalance, profile, by, seed),
        allow_partial=allow_partial,
        force=force,
    )
    output.result(stage_json("prepare table", result), lambda: _human(result))


def flickr8k(
    output: "Output",
    path: OutputOption,
    captions: Annotated[Path, typer.Option("--captions", help="captions.csv: image,caption,split.")],
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder or zip of the images; each named image is checked.")
    ] = None,
    imbalance: ImbalanceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    seed: ImbalanceSeedOption = None,
    allow_partial: AllowPartialOption = False,
    force: ForceOption = False,
) -> None:
    """Flickr8K: 8,000 images with five captions each.

    Example: mmts prepare flickr8k --captions captions.csv --images images.zip -o annotations.parquet
    """
    from pipelines.annotations import prepare_flickr8k

    result = prepare_flickr8k(
        captions,
        path,
        images=images,
        imbalance=imbalance_of(imbalance, profile, by, seed),
        allow_partial=allow_partial,
        force=force,
    )
    output.result(stage_json("prepare flickr8k", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield result.headline
    parts = [f"{summary['rows']:,} samples", f"{summary['distinct_texts']:,} distinct texts"]
    if "media" in summary:
        parts.append(f"{summary['media']:,} media")
    yield ", ".join(parts)
    if "splits" in summary:
        yield "splits: " + ", ".join(f"{name} {rows:,}" for name, rows in summary["splits"].items())
    if "imbalance" in summary:
        yield imbalance_line(summary["imbalance"])
    if "left_out" in summary:
        from pipelines.annotations.left_out import list_path

        yield f"left out: {summary['left_out']:,}, listed in {list_path(result.output)}"
