"""``prepare mscoco``: Karpathy's ``dataset_coco.json``, or the official captions with lists of Karpathy's splits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.annotations import links
from pipelines.annotations.captioned_images import CaptionedImage, captions_table, read_karpathy
from pipelines.annotations.checks import TEXT_OR_NULL, Checks, member
from pipelines.artifacts import first_few
from pipelines.artifacts.files import read_json, require_file
from pipelines.errors import InputError

# Images and captions of Karpathy's splits; 'train' holds 'restval'.
PUBLISHED = {"train": (113_287, 566_747), "val": (5_000, 25_010), "test": (5_000, 25_010)}
# Captions of the official files.
OFFICIAL = {
    "captions_train2014.json": 414_113,
    "captions_val2014.json": 202_654,
    "captions_train2017.json": 591_753,
    "captions_val2017.json": 25_014,
}


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row a caption: ``sample_id`` is ``IMAGE#n``, ``media_id`` the image's file name.

    ``caption_id`` (int64) is the id of the caption's official annotation, by which other annotations of MSCOCO (CxC,
    ECCV Caption) name it: ``id`` in the official files, ``sentid`` in Karpathy's, which kept these ids. The captions of
    an image are in the order of the ids in both, so that the same five are scored.

    Images keep the order of the JSON or of the split list, which the five folds of MSCOCO-1K go by.

    Raises:
        InputError: A file can't be used, or counts differ from the published ones.

    Source:
        Chen et al., Microsoft COCO Captions (2015); splits of Karpathy and Fei-Fei (2015).
    """
    if "dataset_coco.json" in files:
        path = files["dataset_coco.json"]
        return captions_table(read_karpathy(path, caption_ids=True), splits, PUBLISHED, path, checks)
    official = [path for name, path in files.items() if name in OFFICIAL]
    lists = {split: files[name] for split in splits if (name := f"karpathy_{split}_images.txt") in files}
    if not official or not lists:
        folder = next(iter(files.values())).parent
        raise InputError(f"{folder}: the official captions and the lists of Karpathy's splits are needed together")
    names, captions = _read_official(official, checks)
    images = []
    for split, path in lists.items():
        numbers = _read_list(path)
        if unknown := [number for number in numbers if number not in names]:
            first = f"{len(unknown):,} of {len(numbers):,} images have no captions in {official[0].parent}"
            checks.incomplete(f"{path}: {first}, first: {first_few(unknown)}")
        images += [_captioned(names[n], split, captions[n]) for n in numbers if n in names]
    return captions_table(images, list(lists), PUBLISHED, official[0].parent, checks)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link samples to images below ``root``, or in a zip, under their names of 2014 or of 2017."""
    # COCO_val2014_000000391895.jpg is 000000391895.jpg in the 2017 release.
    locate = links.images(root, lambda name: (name.rpartition("_")[2],))
    return links.link(table, table.column("media_id").to_pylist(), locate, root, checks)


def _captioned(name: str, split: str, captions: list[tuple[int, str | None]]) -> CaptionedImage:
    ordered = sorted(captions, key=lambda entry: entry[0])
    return CaptionedImage(name, split, [caption for _, caption in ordered], [number for number, _ in ordered])


def _read_official(paths: list[Path], checks: Checks) -> tuple[dict[int, str], dict[int, list[tuple[int, str | None]]]]:
    """File names of the images, and their captions with their ids, by the number of the image."""
    names: dict[int, str] = {}
    captions: dict[int, list[tuple[int, str | None]]] = defaultdict(list)
    for path in paths:
        content = read_json(path)
        for number, image in enumerate(member(content, "images", list, f"{path}: the file")):
            where = f"{path}: image {number}"
            names[member(image, "id", int, where)] = member(image, "file_name", str, where)
        annotations = member(content, "annotations", list, f"{path}: the file")
        for number, annotation in enumerate(annotations):
            where = f"{path}: annotation {number}"
            identified = member(annotation, "id", int, where), member(annotation, "caption", TEXT_OR_NULL, where)
            captions[member(annotation, "image_id", int, where)].append(identified)
        checks.count(path, len(annotations), OFFICIAL[path.name], "captions")
    return names, captions


def _read_list(path: Path) -> list[int]:
    """Image numbers of a split list, whose lines are ``val2014/COCO_val2014_000000391895.jpg 391895``."""
    require_file(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from error
    numbers = []
    for row, line in enumerate(lines, start=1):
        if line.strip():
            last = line.split()[-1]
            if not last.isdigit():
                raise InputError(f"{path}: line {row} ends in '{last[:40]}'; an image number was expected")
            numbers.append(int(last))
    return numbers
