"""Makes "long-tail scenes": a zip of small images and a table of captions, the same bytes for the same seed."""

import csv
import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from pipelines.artifacts.files import replacing, require_folder
from pipelines.demo.drawing import render
from pipelines.demo.grammar import CONCEPTS, draw_scene, write_caption
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress

_SMALLEST_COUNT = 5 * len(CONCEPTS)
_LARGEST_COUNT = 100_000  # numbers in the file names have five digits
_SIZES = (32, 512)
_TEST_PART, _VAL_PART = 6, 10  # every so many images one is a test image, one a validation image
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class Scenes:
    """Where the scenes are.

    Attributes:
        images: Zip of JPEG images, ``scene-00000.jpg`` and so on.
        captions: CSV with the columns ``image``, ``caption``, ``split`` (train, val, test) and ``concept``.
        concepts: How many images show each concept, the most frequent first.
    """

    images: Path
    captions: Path
    concepts: dict[str, int]


def make_scenes(
    directory: Path,
    *,
    count: int = 3000,
    imbalance: float = 1.0,
    captions_per_image: int = 2,
    size: int = 64,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Scenes:
    """Renders the images, writes their captions and splits them.

    The concept of a scene is what its main things are ("fish"); concept number r by frequency, in an order drawn
    anew for every seed, has a share proportional to ``r ** -imbalance`` of the images, and at least one, which is
    a training image. Colour, texture, size, number, place, background and a second shape are independent of it.
    A sixth of the images is for testing, a tenth for validation, drawn at random: they follow the same long tail.

    Args:
        directory: Folder for ``images.zip`` and ``captions.csv``; made if missing.
        count: Number of images.
        imbalance: Exponent of the Zipf law; 0 makes all concepts equally frequent.
        captions_per_image: Rows per image, each naming other details in other words.
        size: Width and height of the images in pixels.
        seed: Seed of everything.
        progress: Told after each image.

    Returns:
        The two paths, and the frequency of each concept.

    Raises:
        InputError: A parameter is out of its range, or the folder can't be written to.
    """
    _check(count, imbalance, captions_per_image, size)
    require_folder(directory)
    concepts = list(CONCEPTS)
    Random(f"order {seed}").shuffle(concepts)
    counts = dict(zip(concepts, zipf_counts(count, len(concepts), imbalance), strict=True))
    labels = [concept for concept, images in counts.items() for _ in range(images)]
    Random(f"labels {seed}").shuffle(labels)
    splits = _split(labels, Random(f"splits {seed}"))

    scenes = Scenes(directory / "images.zip", directory / "captions.csv", counts)
    with (
        replacing(scenes.images) as images_path,
        replacing(scenes.captions) as captions_path,
        zipfile.ZipFile(images_path, "w") as archive,
        captions_path.open("w", encoding="utf-8", newline="") as table,
        progress.task("drawing", count, "images") as task,
    ):
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("image", "caption", "split", "concept"))
        for i, (concept, split) in enumerate(zip(labels, splits, strict=True)):
            name = f"scene-{i:05d}.jpg"
            rng = Random(f"scene {seed} {i}")
            scene = draw_scene(concept, rng)
            rows.writerows((name, write_caption(scene, rng), split, concept) for _ in range(captions_per_image))
            jpeg = io.BytesIO()
            render(scene, size, rng).save(jpeg, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), jpeg.getvalue())
            task.advance()
    return scenes


def zipf_counts(total: int, concepts: int, exponent: float) -> list[int]:
    """Shares a total out by a Zipf law: number r gets about ``total * r**-exponent / sum_s s**-exponent``.

    Args:
        total: What the counts add up to; at least ``concepts``.
        concepts: How many counts.
        exponent: 0 or more.

    Returns:
        Counts of at least 1, the largest first; the first one takes what rounding leaves over.
    """
    weights = np.arange(1, concepts + 1, dtype=np.float64) ** -exponent
    counts = np.maximum(1, np.floor(total * weights / weights.sum())).astype(int)
    counts[0] += total - counts.sum()
    return [int(n) for n in counts]


def _split(labels: list[str], rng: Random) -> list[str]:
    """The split of each image; one image of each concept is kept for training before the others are drawn."""
    order = list(range(len(labels)))
    rng.shuffle(order)
    kept = {labels[i]: i for i in order}
    free = [i for i in order if kept[labels[i]] != i]
    splits = ["train"] * len(labels)
    tests = len(labels) // _TEST_PART
    for i in free[:tests]:
        splits[i] = "test"
    for i in free[tests : tests + len(labels) // _VAL_PART]:
        splits[i] = "val"
    return splits


def _check(count: int, imbalance: float, captions_per_image: int, size: int) -> None:
    if count < _SMALLEST_COUNT:
        raise InputError(f"count {count} is too small for {len(CONCEPTS)} concepts; give at least {_SMALLEST_COUNT}")
    if count > _LARGEST_COUNT:
        raise InputError(f"count {count} is too large; give at most {_LARGEST_COUNT:,}")
    if not (math.isfinite(imbalance) and imbalance >= 0):
        raise InputError(f"imbalance {imbalance} is not a Zipf exponent; give 0 (all concepts equal) or more")
    if captions_per_image < 1:
        raise InputError(f"captions per image {captions_per_image} is too small; give 1 or more")
    if not _SIZES[0] <= size <= _SIZES[1]:
        raise InputError(f"image size {size} is out of range; give {_SIZES[0]} to {_SIZES[1]} pixels")
