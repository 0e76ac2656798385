"""``mmts demo``: the method on data it makes itself, every step a command a user could have typed."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import SeedOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mmts_cli.console import Output

_IMAGE_SIZE = 64
_EPOCHS = 10
_BATCH = 128

# {d} is the demo's folder. Both runs have about the same mean temperature: at different levels a comparison would show
# the levels. Four clusterings are averaged, since a single k-means depends much on its seed.
_PREPARE = """
prepare table {d}/captions.csv -o {d}/annotations.parquet --text-column caption --media-id-column image \
    --split-column split --class-column concept
embed {d}/annotations.parquet -o {d}/embeddings.parquet
cluster {d}/embeddings.parquet -o {d}/clusters-1.parquet --k 20 --seed 1
cluster {d}/embeddings.parquet -o {d}/clusters-2.parquet --k 20 --seed 2
cluster {d}/embeddings.parquet -o {d}/clusters-3.parquet --k 20 --seed 3
cluster {d}/embeddings.parquet -o {d}/clusters-4.parquet --k 20 --seed 4
shifts {d}/clusters-1.parquet {d}/clusters-2.parquet {d}/clusters-3.parquet {d}/clusters-4.parquet \
    -o {d}/shifts.parquet --min 0.05 --max 0.12 --picture {d}/long-tail.png
plan {d}/shifts.parquet --alpha 0.04 --steps {steps} --annotations {d}/annotations.parquet \
    --picture {d}/temperature.png
"""
_RUN = """
train {d}/annotations.parquet -o {d}/run-{name} --media {d}/images.zip --media-model {d}/tower \
    --text {d}/embeddings.parquet {strategy} --epochs {epochs} --batch-size {batch} --lr 2e-3 --weight-decay 0.05 \
    --dimension 256 --seed {seed}
eval {d}/run-{name} -o {d}/scores-{name} --clusters {d}/shifts.parquet
"""
_STRATEGIES = {
    "fixed": "--temperature fixed --tau 0.08",
    "mmts": "--temperature mmts --shifts {d}/shifts.parquet --alpha 0.04",
}


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "demo")(demo)


def demo(
    console: "Output",
    directory: Annotated[Path, typer.Option("--dir", help="Output folder.")] = Path("mmts-demo"),
    count: Annotated[int, typer.Option("--count", help="Number of images to generate.")] = 3000,
    imbalance: Annotated[
        float, typer.Option("--imbalance", help="Zipf exponent of the concept frequencies; 0 for no long tail.")
    ] = 1.0,
    seed: SeedOption = 0,
) -> None:
    """Run every stage on generated long-tail data.

    Trains once with a fixed temperature and once with MM-TS, and compares the two.

    Example: mmts demo --dir mmts-demo
    """
    from mmts_cli.chain import run_chain
    from pipelines.demo import make_scenes, write_tower

    scenes = make_scenes(directory, count=count, imbalance=imbalance, size=_IMAGE_SIZE, seed=seed, progress=console)
    write_tower(directory / "tower", image_size=_IMAGE_SIZE)
    frequencies = list(scenes.concepts.items())
    console.note(
        f"made {count:,} scenes of {len(frequencies)} concepts in {directory}: from {frequencies[0][0]} "
        f"({frequencies[0][1]:,}) to {frequencies[-1][0]} ({frequencies[-1][1]:,})"
    )
    steps = max(1, count_training_images(scenes.captions) // _BATCH) * _EPOCHS
    run_chain(console, _commands(directory, seed, steps))
    result = _compare(directory)
    console.result(result, lambda: _human(result))


def count_training_images(captions: Path) -> int:
    """Images of the training split in a captions file."""
    import pyarrow.compute as pc
    import pyarrow.csv

    table = pyarrow.csv.read_csv(captions)
    return len(table.filter(pc.equal(table.column("split"), "train")).column("image").unique())


def _commands(directory: Path, seed: int, steps: int) -> list[list[str]]:
    folder = shlex.quote(str(directory))
    text = _PREPARE.format(d=folder, steps=steps)
    for name, strategy in _STRATEGIES.items():
        text += _RUN.format(
            d=folder, name=name, strategy=strategy.format(d=folder), epochs=_EPOCHS, batch=_BATCH, seed=seed
        )
    return [shlex.split(line) for line in text.replace("\\\n", "").splitlines() if line]


def _compare(directory: Path) -> dict[str, Any]:
    from pipelines.artifacts.files import read_json

    return {
        "command": "demo",
        "directory": str(directory),
        "scores": {
            name: read_json(directory / f"scores-{name}" / "metrics.json")["scores"] for name in ("fixed", "mmts")
        },
        "pictures": [str(directory / "long-tail.png"), str(directory / "temperature.png")],
    }


def _human(result: dict[str, Any]) -> "Iterator[RenderableType]":
    from rich.table import Table

    scores = result["scores"]
    directions = {"text_to_media": "text to image", "media_to_text": "image to text"}
    table = Table(title="Recall on the test split, 0-100", title_justify="left", box=None, pad_edge=False)
    table.add_column("samples")
    table.add_column("run")
    for direction in directions.values():
        for k in (1, 5, 10):
            table.add_column(f"{direction}\nR@{k}" if k == 1 else f"\nR@{k}", justify="right", no_wrap=True)
    for segment in ("overall", "head", "middle", "tail"):
        for name in _STRATEGIES:
            cells = [
                f"{scores[name][segment][direction][f'recall@{k}']['value']:.1f}"
                for direction in directions
                for k in (1, 5, 10)
            ]
            table.add_row(segment if name == "fixed" else "", name, *cells, end_section=name == "mmts")
    yield ""
    yield table
    yield ""
    differences = {
        segment: [
            scores["mmts"][segment][direction]["recall@1"]["value"]
            - scores["fixed"][segment][direction]["recall@1"]["value"]
            for direction in directions
        ]
        for segment in ("overall", "tail")
    }
    for segment, (to_media, to_text) in differences.items():
        yield f"MM-TS minus fixed, R@1, {segment}: {to_media:+.1f} text to image, {to_text:+.1f} image to text"
    yield (
        "One seed of each: the intervals in metrics.json are several points wide. Tune each strategy's level on "
        "validation before you judge it."
    )
    yield f"pictures: {', '.join(result['pictures'])}"
