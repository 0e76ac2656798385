"""``mmts search``: the media or texts of a run that are nearest to a text, an image or a sample."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import (
    DeviceOption,
    MaxBadOption,
    PrecisionOption,
    RunAnnotationsOption,
    RunMediaOption,
    TrustOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from mmts_cli.console import Output


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "search")(search)


def search(
    console: "Output",
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to search for.", show_default=False)] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", "--clip", help="Image, or clip, to search for (repeat for several)."),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option("--like", help="sample_id or media_id whose neighbours to find (repeat for several)."),
    ] = None,
    among: Annotated[
        Literal["media", "text"], typer.Option("--among", help="What to find: media, or distinct texts.")
    ] = "media",
    split: Annotated[str, typer.Option("--split", help="Split to search; 'all' for every sample.")] = "test",
    top: Annotated[int, typer.Option("--top", help="How many to find.", min=1)] = 10,
    annotations: RunAnnotationsOption = None,
    media: RunMediaOption = None,
    text: Annotated[
        Path | None,
        typer.Option("--text", help="embeddings.parquet of the texts (default: the run's, if it has any)."),
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency",
            "--clusters",
            help="What head, middle and tail follow from: a clusters or shifts file, or a column of the annotations "
            "(default: the run's).",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Web page to write as well, with thumbnails.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            help="Folder or archive of images or clips, for the thumbnails (default: the run's media, or where the "
            "annotations say).",
        ),
    ] = None,
    device: DeviceOption = None,
    precision: PrecisionOption = "32",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Media or texts in one forward pass (default: by their kind).")
    ] = None,
    workers: WorkersOption = None,
    max_bad: MaxBadOption = 0,
    trust_remote_code: TrustOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Encode what is searched again, and write the page over any file.")
    ] = False,
) -> None:
    """Find the media or texts nearest to a text, an image or a sample.

    The first search of a split encodes it, and keeps the vectors in the run's folder.

    Example: mmts search run "a dog on a beach" "two children"

    Example: mmts search run --image photo.jpg --among text --split all

    Example: mmts search run "a dog" -o found.html --pictures images.zip
    """
    from pipelines.encoding import Encoding
    from pipelines.search import search as find

    result = find(
        run,
        texts or [],
        images=image or [],
        like=like or [],
        among=among,
        split=split,
        top=top,
        annotations=annotations,
        media=media,
        text=text,
        frequency=frequency,
        page=output,
        pictures=pictures,
        encoding=Encoding(device, precision, batch_size, workers, max_bad, trust_remote_code),
        force=force,
        progress=console,
    )
    console.result({"command": "search", **result.to_dict()}, lambda: result.shown(console.width))
