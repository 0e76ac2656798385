"""``mmts inspect``: what a Parquet file holds and what made it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from pipelines.errors import InputError
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output

_CUT_SHOWN = 3  # videos


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "inspect")(inspect)


def inspect(
    output: "Output",
    file: Annotated[Path, typer.Argument(help="Any Parquet file.")],
    rows: Annotated[int, typer.Option("--rows", help="Number of rows to show.", min=0)] = 5,
    media: Annotated[
        Path | None,
        typer.Option(
            "--media",
            help="Look for damaged media of annotations instead: a folder or archive, or 'annotations' for where these "
            "say. Images are decoded, of videos the ends: damage between may stay unseen.",
        ),
    ] = None,
    chunk_seconds: Annotated[
        float | None,
        typer.Option("--chunk-seconds", help="With --media: length of the chunks of videos, where these are numbered."),
    ] = None,
) -> None:
    """Show what a Parquet file holds and what made it.

    Schema, provenance, statistics and first rows. With --media which media of annotations are damaged: a line a fault,
    and exit code 2 if there is one.

    Example: mmts inspect clusters.parquet --rows 3

    Example: mmts inspect annotations.parquet --media annotations
    """
    if media is not None:
        _check_media(output, file, media, chunk_seconds)
        return
    if chunk_seconds is not None:
        raise InputError("--chunk-seconds: is for --media; leave it out")
    from pipelines.inspect.describe import describe

    described = describe(file, rows=rows, progress=output)
    output.result({"command": "inspect", **described}, lambda: _human(described, output.width))


def _check_media(output: "Output", file: Path, media: Path, chunk_seconds: float | None) -> None:
    from pipelines.inspect.damage import find_damage

    found = find_damage(file, media, chunk_seconds=chunk_seconds, progress=output)
    output.result({"command": "inspect", **found}, lambda: _faults(found))
    if faults := found["faults"]:
        first = ", ".join(fault["file"] for fault in faults[:2])
        raise InputError(
            f"{file}: {found['damaged']:,} of {found['media']:,} media are damaged, first in {first}; mend "
            "or replace the files"
        )


def _faults(found: dict[str, Any]) -> "Iterator[RenderableType]":
    from rich.text import Text

    for fault in found["faults"]:
        yield Text(f"{fault['file']}: {fault['reason']} ({len(fault['media_ids']):,} media)")
    if not found["faults"]:
        yield f"{found['path']}: no fault found in the files of {found['media']:,} media"
    if cut := found["cut"]:
        clips, videos = counted(sum(len(each["media_ids"]) for each in cut), "clip"), counted(len(cut), "video")
        yield f"{clips} of {videos} lose their end; the frames that are there stand for the whole clip"
        for each in cut[:_CUT_SHOWN]:
            named = ", ".join(each["media_ids"][:3]) + (", ..." if len(each["media_ids"]) > 3 else "")
            yield Text(f"  {each['file']}: {each['reason']} ({named})")
        if len(cut) > _CUT_SHOWN:
            yield f"  and {len(cut) - _CUT_SHOWN:,} more: --json lists all"


def _human(described: dict[str, Any], width: int) -> "Iterator[RenderableType]":
    from rich.table import Table
    from rich.text import Text

    from mmts_cli.labels import label_tables

    files = f"{described['files']:,} files, " if described["files"] > 1 else ""
    yield (
        f"{described['path']}: {described['kind'] or 'a Parquet file, not of a kind that mmts writes'}, {files}"
        f"{described['rows']:,} rows in {described['row_groups']} row groups, {described['bytes']:,} bytes"
    )
    provenance = described["provenance"]
    if described["files"] > 1:
        yield "what made a file stands in its own footer: inspect one of them"
    elif provenance is None:
        yield "no mmts footer: written or edited by another tool"
    else:
        inputs = ", ".join(f"{role} {made['name']}" for role, made in provenance["inputs"].items())
        parameters = ", ".join(f"{name}={value}" for name, value in provenance["parameters"].items())
        libraries = ", ".join(f"{name} {version}" for name, version in provenance["libraries"].items())
        yield f"made by  {provenance['stage']} from {inputs}"
        yield Text(f"with     {parameters}" + ("" if provenance["seed"] is None else f", seed={provenance['seed']}"))
        yield f"using    {libraries}"
        yield f"fingerprint {provenance['fingerprint']}"
        if described["changed"]:
            yield "the data were changed after mmts wrote them"
    columns = Table("column", "type", "nulls", "statistics", box=None, pad_edge=False)
    for column in described["columns"]:
        statistics = [
            f"{key.replace('_', ' ')} {_show(value)}"
            for key, value in column.items()
            if key not in ("name", "type", "nulls")
        ]
        columns.add_row(column["name"], column["type"], f"{column['nulls']:,}", ", ".join(statistics))
    yield ""
    yield columns
    if described["first_rows"] and described["kind"] != "labels":
        yield from _first_rows([column["name"] for column in described["columns"]], described["first_rows"], width)
    if "labels" in described:
        yield from label_tables(described["labels"], width)


def _first_rows(names: list[str], rows: list[dict[str, Any]], width: int) -> "Iterator[RenderableType]":
    """Rows as a table where it fits, else one below the other, so that no column is left out."""
    from rich.table import Column, Table
    from rich.text import Text

    cells = [[_cell(row[name]) for name in names] for row in rows]
    needed = sum(2 + max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names))
    if needed <= width:
        table = Table(*(Column(name, no_wrap=True) for name in names), box=None, pad_edge=False)
        for row in cells:
            table.add_row(*map(Text, row))
        yield ""
        yield table
        return
    for row in cells:
        record = Table(Column(overflow="fold"), Column(overflow="fold"), box=None, pad_edge=False, show_header=False)
        for name, cell in zip(names, row, strict=True):
            record.add_row(name, Text(cell))
        yield ""
        yield record


def _show(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_show(item) for item in value) + "]"
    return "" if value is None else _show(value) if isinstance(value, float) else str(value)
