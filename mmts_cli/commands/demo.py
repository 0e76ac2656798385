"""``mmts demo``: what the tool is for, on data it makes itself, every step a command a user could have typed."""

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
_EPOCHS = 15
_BATCH = 256

# {d} is the demo's folder, a line with # a note. The paper takes frequency from clusters of captions, so the strategies
# do too; thirds follow from the concepts themselves, which no strategy sees. Four clusterings are averaged, since a
# single k-means depends much on its seed. Heads on the features of one tower train in a second: that leaves time to
# tune each strategy alike and to repeat the best setting with several seeds.
_STEPS = """
# 1. Captions become vectors; clusters of these say how frequent each kind is.
prepare table {d}/captions.csv -o {d}/annotations.parquet --text-column caption --media-id-column image \
    --split-column split --class-column concept
embed {d}/annotations.parquet -o {d}/texts.parquet
cluster {d}/texts.parquet -o {d}/clusters-1.parquet --k 20 --seed 1 --annotations {d}/annotations.parquet
cluster {d}/texts.parquet -o {d}/clusters-2.parquet --k 20 --seed 2
cluster {d}/texts.parquet -o {d}/clusters-3.parquet --k 20 --seed 3
cluster {d}/texts.parquet -o {d}/clusters-4.parquet --k 20 --seed 4
# 2. MM-TS gives frequent kinds a higher temperature, rare ones a lower one.
shifts {d}/clusters-1.parquet {d}/clusters-2.parquet {d}/clusters-3.parquet {d}/clusters-4.parquet \
    -o {d}/shifts.parquet --min 0.05 --max 0.12 --picture {d}/long-tail.png
plan {d}/shifts.parquet --alpha 0.04 --steps {steps} --annotations {d}/annotations.parquet \
    --picture {d}/temperature.png
# 3. An image tower is trained once and turns all images into features.
train {d}/annotations.parquet -o {d}/tower-run --media {d}/images.zip --media-model {d}/tower \
    --text {d}/texts.parquet --temperature fixed --tau 0.08 --epochs 10 --batch-size 128 --lr 2e-3 \
    --weight-decay 0.05 --dimension 256 --seed {seed}
embed {d}/annotations.parquet -o {d}/features.parquet --media {d}/images.zip --model {d}/tower-run
eval {d}/tower-run -o {d}/scores --frequency concept
# 4. Who gains? Each strategy is tuned alike, then tested with several seeds.
sweep {d}/annotations.parquet -o {d}/sweep --media {d}/features.parquet --text {d}/texts.parquet \
    --clusters {d}/clusters-1.parquet --clusters {d}/clusters-2.parquet --clusters {d}/clusters-3.parquet \
    --clusters {d}/clusters-4.parquet --frequency concept --strategies fixed,shifts,mmts,fixed+sampling,fixed+weight \
    --levels 5 --seeds 5 --epochs {epochs} --batch-size {batch} --dimension 256 --seed {seed}
# 5. All of it on one page: the tail, a map, the sweep, and the worst queries.
report {d} -o {d}/report.html
"""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "demo")(demo)


def demo(
    console: "Output",
    directory: Annotated[Path, typer.Option("--dir", help="Output folder.")] = Path("mmts-demo"),
    count: Annotated[int, typer.Option("--count", help="Number of images to generate.")] = 3000,
    imbalance: Annotated[
        float, typer.Option("--imbalance", help="Zipf exponent of the concept frequencies; 0 for no long tail.")
    ] = 1.5,
    seed: SeedOption = 0,
) -> None:
    """Show on generated data who gains from balancing head and tail.

    Runs every stage, each as a command that you could type. A sweep tunes five strategies alike and says which of them
    helps, by how much, and for whom. A web page, report.html, shows all that was made.

    Example: mmts demo --dir mmts-demo
    """
    from mmts_cli.chain import run_chain
    from pipelines.demo import make_scenes, write_tower
    from pipelines.sweep import read_sweep

    scenes = make_scenes(directory, count=count, imbalance=imbalance, size=_IMAGE_SIZE, seed=seed, progress=console)
    write_tower(directory / "tower", image_size=_IMAGE_SIZE)
    frequencies = list(scenes.concepts.items())
    console.note(
        f"made {count:,} scenes of {len(frequencies)} concepts in {directory}: from {frequencies[0][0]} "
        f"({frequencies[0][1]:,}) to {frequencies[-1][0]} ({frequencies[-1][1]:,})"
    )
    steps = max(1, count_training_images(scenes.captions) // _BATCH) * _EPOCHS
    for note, commands in _chapters(directory, seed, steps):
        console.note(f"\n{note}")
        run_chain(console, commands)
    result = {
        "command": "demo",
        "directory": str(directory),
        "imbalance": imbalance,
        "pictures": [str(directory / "long-tail.png"), str(directory / "temperature.png")],
        "page": str(directory / "report.html"),
        "sweep": read_sweep(directory / "sweep"),
    }
    console.result(result, lambda: _human(result))


def count_training_images(captions: Path) -> int:
    """Images of the training split in a captions file."""
    import pyarrow.compute as pc
    import pyarrow.csv

    table = pyarrow.csv.read_csv(captions)
    return len(table.filter(pc.equal(table.column("split"), "train")).column("image").unique())


def _chapters(directory: Path, seed: int, steps: int) -> Iterator[tuple[str, list[list[str]]]]:
    """Each note, with the command lines below it."""
    text = _STEPS.replace("\\\n", "").format(
        d=shlex.quote(str(directory)), steps=steps, seed=seed, epochs=_EPOCHS, batch=_BATCH
    )
    for chapter in text.split("\n# ")[1:]:
        note, *lines = chapter.strip().splitlines()
        yield note, [shlex.split(line) for line in lines]


def _human(result: dict[str, Any]) -> "Iterator[RenderableType]":
    yield ""
    if result["imbalance"] == 0:
        yield "All concepts are equally frequent here: there is no tail, and head and tail differ by chance alone."
    yield (
        "All strategies share one image tower: heads on its features were compared, not whole models. Another --seed "
        "makes other data, which may answer otherwise; so may yours."
    )
    yield f"pictures: {', '.join(result['pictures'])}"
    yield f"all of it, to open in a browser: {result['page']}"
