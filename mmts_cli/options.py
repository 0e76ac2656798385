"""Options that several commands share, and how their results look."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipelines.words import counted as counted  # how all commands count

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Write the output even if it is up to date or was not written by mmts.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Random seed.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Torch device (default: a GPU if available).")]

PrecisionOption = Annotated[
    Literal["32", "bf16-mixed", "16-mixed"], typer.Option("--precision", help="Precision of the forward pass.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=0, help="Processes that decode media (default: by device).")
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Run code that comes with a model; only for models whose author you trust."
    ),
]
_WHERE = "Where it is computed"
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--engine",
        help="In this process, or by a worker on each GPU, or else each core, of a Ray cluster.",
        rich_help_panel=_WHERE,
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="Ray cluster (default: $RAY_ADDRESS; without that one is started on this machine for the time being).",
        rich_help_panel=_WHERE,
    ),
]
ClusterDeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="Torch device of the matrix products of kmeans and knn, such as cuda; the file is the same.",
        rich_help_panel=_WHERE,
    ),
]
MaxBadOption = Annotated[int, typer.Option("--max-bad", min=0, help="Damaged media to tolerate; they are left out.")]

# What else than a run's own files is scored or searched.
RunMediaOption = Annotated[
    Path | None,
    typer.Option(
        "--media",
        help="features.parquet; for a run trained on pixels, images or clips, or 'annotations' for the paths in "
        "their column media (default: the run's).",
    ),
]
RunAnnotationsOption = Annotated[
    Path | None, typer.Option("--annotations", help="annotations.parquet (default: the run's).")
]

_BY = "Texts, media or both"
ByOption = Annotated[
    Literal["text", "media", "joint"],
    typer.Option("--by", help="Cluster texts, media, or both joined in one vector.", rich_help_panel=_BY),
]
JointMediaOption = Annotated[
    Path | None, typer.Option("--media", help="Features of the media, for --by joint.", rich_help_panel=_BY)
]
MediaWeightOption = Annotated[
    float | None,
    typer.Option(
        "--media-weight",
        help="Share of the media in the similarity, 0 to 1, for --by joint (default: 0.5).",
        rich_help_panel=_BY,
    ),
]


ClusterAnnotationsOption = Annotated[
    Path | None,
    typer.Option(
        "--annotations",
        help="annotations.parquet, to label clusters by their words and texts; --by media and joint need it, as it "
        "says which medium each sample has.",
    ),
]
FitSplitOption = Annotated[
    str | None,
    typer.Option("--fit-split", help="Split to fit on and count (default: train if there is one, else all rows)."),
]


def stage_json(command: str, result: Any) -> dict[str, Any]:
    """The JSON object of a stage's result."""
    return {
        "command": command,
        "output": str(result.output),
        "up_to_date": result.up_to_date,
        **result.summary,
    }
