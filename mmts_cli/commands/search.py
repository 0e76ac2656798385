"""``mmts search``: the media or texts of a run that are nearest to a text, an image or a sample."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import DeviceOption, MaxBadOption, PrecisionOption, TrustOption, WorkersOption

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mmts_cli.console import Output
    from pipelines.search.stage import Found, SearchResult


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
    annotations: Annotated[
        Path | None, typer.Option("--annotations", help="annotations.parquet (default: the run's).")
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(
            "--media",
            help="features.parquet; for a run trained on pixels, images or clips, or 'annotations' for the paths in "
            "their column media (default: the run's).",
        ),
    ] = None,
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
    device: DeviceOption = None,
    precision: PrecisionOption = "32",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Media or texts in one forward pass (default: by their kind).")
    ] = None,
    workers: WorkersOption = 0,
    max_bad: MaxBadOption = 0,
    trust_remote_code: TrustOption = False,
    force: Annotated[bool, typer.Option("--force", help="Encode what is searched again.")] = False,
) -> None:
    """Find the media or texts nearest to a text, an image or a sample.

    The first search of a split encodes it, and keeps the vectors in the run's folder.

    Example: mmts search run "a dog on a beach" "two children"

    Example: mmts search run --image photo.jpg --among text --split all
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
        encoding=Encoding(device, precision, batch_size, workers, max_bad, trust_remote_code),
        force=force,
        progress=console,
    )
    console.result(_json(result), lambda: _human(result))


def _json(result: "SearchResult") -> dict[str, Any]:
    plain = dataclasses.asdict(result)
    return {
        "command": "search",
        **plain,
        "run": str(result.run),
        "vectors": None if result.vectors is None else str(result.vectors),
    }


def _human(result: "SearchResult") -> "Iterator[RenderableType]":
    what = "media" if result.among == "media" else "distinct texts"
    where = "" if result.split == "all" else f" of split {result.split}"
    if result.vectors is None:
        kept = "not kept: the run's folder can't be written to"
    else:
        kept = f"{result.vectors}: {'up to date' if result.up_to_date else 'written'}"
    yield f"{result.candidates:,} {what}{where} ({kept})"
    if result.bad_media:
        named = ", ".join(list(result.bad_media)[:3])
        yield f"{len(result.bad_media):,} media can't be decoded and are left out, first: {named}"
    for found in result.queries:
        yield ""
        yield _asked(found)
        yield _table(found, result.among)


def _asked(found: "Found") -> str:
    query = found.query
    return f'"{query.value}"' if query.kind == "text" else f"{query.kind} {query.value}"


def _table(found: "Found", among: str) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    thirds = any(hit.third for hit in found.hits)
    heads = [Column("rank", justify="right"), Column("similarity", justify="right")]
    heads += [Column("third")] if thirds else []
    table = Table(*heads, Column(among, overflow="fold"), box=None, pad_edge=False)
    for hit in found.hits:
        cells = [Text(str(hit.rank)), Text(f"{hit.similarity:.3f}"), *([Text(hit.third or "")] if thirds else [])]
        if among == "media":
            said = Text(hit.media_id)
            more = f" (and {len(hit.texts) - 1:,} more)" if len(hit.texts) > 1 else ""
            for line in (*([hit.place] if hit.place else []), f"{hit.texts[0]}{more}"):
                said.append(f"\n{line}", style="dim")
        else:
            said = Text(hit.texts[0])
            said.append(f"\n{hit.sample_id}", style="dim")
            said.append(f" and {hit.samples - 1:,} more" if hit.samples > 1 else "", style="dim")
        table.add_row(*cells, said)
    return table
