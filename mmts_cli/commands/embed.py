"""``mmts embed``: texts to embeddings, images and clips to features."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import (
    AddressOption,
    DeviceOption,
    EngineOption,
    ForceOption,
    MaxBadOption,
    OutputOption,
    PrecisionOption,
    TrustOption,
    WorkersOption,
    stage_json,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output
    from pipelines.artifacts import StageResult


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "embed")(embed)


def embed(
    output: "Output",
    annotations: Annotated[Path, typer.Argument(help="annotations.parquet.")],
    path: OutputOption,
    media: Annotated[
        Path | None,
        typer.Option(
            "--media",
            help="Encode these instead of the texts: images or clips in a folder, zip, tar shards, Parquet of bytes, "
            "or 'annotations': the paths in their column media.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Hub id or folder of a model, or a run folder. For texts: sentence-transformers or CLIP-like "
            "(default: sentence-transformers/all-MiniLM-L6-v2); for media: vision or CLIP-like.",
        ),
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", help="embeddings.parquet for a run that was trained on embeddings.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            min=1,
            help="Frames to take from a clip (default: as a run was trained, or a video model's number).",
        ),
    ] = None,
    chunk_seconds: Annotated[
        float | None,
        typer.Option(
            "--chunk-seconds",
            help="Length of the chunks that videos are cut into, where these are numbered (default: as a run was "
            "trained, or named by their seconds).",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Texts (default: 64) or media in one forward pass.")
    ] = None,
    device: DeviceOption = None,
    precision: PrecisionOption = "32",
    workers: WorkersOption = None,
    max_bad: MaxBadOption = 0,
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option("--dtype", help="Data type of the stored vectors.")
    ] = "float32",
    trust_remote_code: TrustOption = False,
    engine: EngineOption = "local",
    address: AddressOption = None,
    force: ForceOption = False,
) -> None:
    """Encode the texts of annotations, or images or clips.

    Each distinct text is encoded once. With --media, images or clips are encoded.

    Example: mmts embed annotations.parquet -o embeddings.parquet

    Example: mmts embed annotations.parquet -o features.parquet --media images.zip --model run
    """
    from pipelines.embed import embed as embed_texts
    from pipelines.embed import embed_media
    from pipelines.encoding import Encoding
    from pipelines.engines import Engine
    from pipelines.errors import InputError
    from pipelines.model_files import DEFAULT_MODEL

    if media is not None:
        if model is None:
            raise InputError("--media: give the vision or CLIP-like model, or the run, that encodes them with --model")
        if text is not None:
            raise InputError("--text: texts are not encoded with --media; leave one of them out")
        encoding = Encoding(device, precision, batch_size, workers, max_bad, trust_remote_code)
        result = embed_media(
            annotations,
            path,
            media=media,
            model=model,
            frames=frames,
            chunk_seconds=chunk_seconds,
            dtype=dtype,
            encoding=encoding,
            engine=Engine(engine, address),
            force=force,
            progress=output,
        )
    else:
        pixels = {"--frames": frames, "--chunk-seconds": chunk_seconds, "--workers": workers, "--max-bad": max_bad}
        for flag, value in pixels.items():
            if value:
                raise InputError(f"{flag}: is for images and clips; give --media, or leave it out")
        result = embed_texts(
            annotations,
            path,
            model=DEFAULT_MODEL if model is None else model,
            text=text,
            batch_size=64 if batch_size is None else batch_size,
            device=device,
            precision=precision,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            engine=Engine(engine, address),
            force=force,
            progress=output,
        )
    output.result(stage_json("embed", result), lambda: _human(result))


def _human(result: "StageResult") -> "Iterator[RenderableType]":
    summary = result.summary
    yield result.headline
    distinct = f"{summary['distinct_texts']:,} distinct texts encoded, " if "distinct_texts" in summary else ""
    yield f"{summary['rows']:,} rows, {distinct}{summary['dimension']} dimensions"
    if "bad_media" in summary:
        named = ", ".join(list(summary["bad_media"])[:3])
        yield f"{len(summary['bad_media']):,} media can't be decoded and are left out, first: {named}"
    if summary.get("max_tokens") is not None:
        yield f"{summary['truncated_texts']:,} texts truncated at the model's {summary['max_tokens']} tokens"
