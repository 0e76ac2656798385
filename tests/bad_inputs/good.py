"""A folder with a small whole file or folder of every stage, for command lines in which one other thing is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tiny_towers import make
from tiny_world import make_tiny_world, write_tower_config

from mmts_cli.app import app
from mmts_cli.command import run_app

CAPTIONS = "image,caption,split,noun\n" + "".join(
    f"{row // 2}.jpg,caption number {row},{'test' if row % 4 == 3 else 'train'},{row % 3}\n" for row in range(24)
)
RUN = "train {0}/annotations.parquet --text {0}/text.parquet --epochs 1 --batch-size 16 --dimension 8 --device cpu -q"
LINES = (
    f"{RUN} -o {{0}}/run --media {{0}}/media.parquet --temperature fixed",
    f"{RUN} -o {{0}}/run-mmts --media {{0}}/media.parquet --shifts {{0}}/shifts.parquet --alpha 0.04 --oscillations 1",
    f"{RUN} -o {{0}}/run-pixels --media {{0}}/images --media-model {{0}}/vit --temperature fixed",
    "eval {0}/run -o {0}/scores --resamples 10 -q",
    "eval {0}/run-mmts -o {0}/scores-mmts --resamples 10 -q",
    "compare {0}/scores {0}/scores-mmts -o {0}/difference.json --resamples 10 -q",
    f"{RUN.replace('train', 'sweep')} -o {{0}}/sweep --media {{0}}/media.parquet --clusters {{0}}/clusters.parquet "
    "--strategies fixed --levels 2 --seeds 1",
    "export {0}/run -o {0}/export -q",
)


def make_good(folder: Path, write: Callable[..., Path]) -> None:
    """Fill a new folder.

    It holds ``annotations``, ``text``, ``media``, ``clusters`` and ``shifts.parquet`` (those of `TinyWorld`);
    ``captions.csv``; pictures in ``images/`` and ``images.zip``; models ``vit/`` (a configuration), ``clip/`` and
    ``sentence/`` (with weights); runs ``run/`` (on features), ``run-mmts/`` (with shifts) and ``run-pixels/`` (on
    images); ``scores/``, ``scores-mmts/``, ``difference.json``, ``sweep/`` and
    ``export/``.
    """
    folder.mkdir()
    world = make_tiny_world(folder, write)
    world.images("images.zip")
    (folder / "captions.csv").write_text(CAPTIONS)
    write_tower_config(folder / "vit", "vit")
    shutil.move(make(folder / "made-clip", "clip"), folder / "clip")
    shutil.move(make(folder / "made-bert", "bert"), folder / "sentence")
    for line in LINES:
        assert run_app(app, [word.format(folder) for word in line.split()]) == 0, line
