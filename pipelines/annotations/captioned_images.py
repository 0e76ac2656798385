"""Images with several captions each, as Flickr30K and MSCOCO have them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.annotations.checks import TEXT_OR_NULL, Checks, member
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

_SPLIT_OF = {"train": "train", "restval": "train", "val": "val", "test": "test"}
_SCORED_CAPTIONS = 5


@dataclass(frozen=True)
class CaptionedImage:
    """One image: its file name, split and captions in the published order, with the captions' ids where they matter."""

    name: str
    split: str
    captions: list[str | None]
    caption_ids: list[int] | None = None


def read_karpathy(path: Path, *, caption_ids: bool = False) -> list[CaptionedImage]:
    """Read one of Karpathy's ``dataset_*.json``; ``restval`` becomes ``train``.

    Args:
        path: The JSON file.
        caption_ids: Keep each sentence's ``sentid``, which in MSCOCO's file is the id of the official annotation.

    Raises:
        InputError: The file is not JSON or not of that layout; says which image.
    """
    found = []
    for number, image in enumerate(member(read_json(path), "images", list, f"{path}: the file")):
        where = f"{path}: image {number}"
        split = member(image, "split", str, where)
        if split not in _SPLIT_OF:
            raise InputError(f"{where} has split '{split}'; expected {', '.join(_SPLIT_OF)}")
        sentences = member(image, "sentences", list, where)
        captions = [member(sentence, "raw", TEXT_OR_NULL, where) for sentence in sentences]
        ids = [member(sentence, "sentid", int, where) for sentence in sentences] if caption_ids else None
        found.append(CaptionedImage(member(image, "filename", str, where), _SPLIT_OF[split], captions, ids))
    return found


def captions_table(
    images: Iterable[CaptionedImage],
    splits: Sequence[str],
    published: Mapping[str, tuple[int, int]],
    path: Path,
    checks: Checks,
) -> pa.Table:
    """Samples of some splits, one a caption; counts are checked.

    A sixth or later caption of a val or test image gets split ``extra``: published scores use five an image. Captions
    that have ids of their own keep them in the column ``caption_id``.

    Args:
        images: All images.
        splits: The splits wanted.
        published: Images and captions of each split.
        path: Where they came from.
        checks: Whether images or captions may be missing.

    Raises:
        InputError: Counts differ from the published ones.
    """
    wanted = [image for image in images if image.split in splits]
    for split in splits:
        of_split = [image for image in wanted if image.split == split]
        checks.count(path, len(of_split), published[split][0], f"{split} images")
        checks.count(path, sum(len(i.captions) for i in of_split), published[split][1], f"captions of {split} images")
    columns: dict[str, list[Any]] = {"sample_id": [], "text": [], "media_id": [], "split": []}
    for image in wanted:
        for number, caption in enumerate(image.captions):
            scored = image.split == "train" or number < _SCORED_CAPTIONS
            columns["sample_id"].append(f"{image.name}#{number}")
            columns["text"].append((caption or "").strip())
            columns["media_id"].append(image.name)
            columns["split"].append(image.split if scored else "extra")
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    if wanted and all(image.caption_ids is not None for image in wanted):
        ids = [number for image in wanted for number in image.caption_ids or []]
        table = table.append_column("caption_id", pa.array(ids, pa.int64()))
    return table
