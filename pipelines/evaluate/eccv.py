"""What protocol ``eccv`` reads: MSCOCO's test captions from annotations, and their ground truths from a package."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts import Kind, require_unique
from pipelines.errors import InputError
from pipelines.scores.eccv import CocoTruth, Positives
from pipelines.scores.similarity import IntArray

_FOLDS = 5
COCO_CAPTIONS = Kind(
    "annotations of `mmts prepare mscoco`",
    "sample_id",
    {"sample_id": pa.string(), "media_id": pa.string(), "caption_id": pa.int64()},
)
_NUMBER = re.compile(r"(\d+)(\.\w+)?$")  # of an image: COCO_val2014_000000391895.jpg, 000000391895.jpg, 391895


@dataclass(frozen=True)
class CocoCaptions:
    """MSCOCO's m test captions and their n images, in the order of the annotations.

    Attributes:
        sample_ids: Id of each caption's row.
        media_ids: Id of each image.
        truth: What they are scored by.
    """

    sample_ids: pa.ChunkedArray
    media_ids: pa.Array
    truth: CocoTruth


def coco_captions_of(table: pa.Table, path: Path) -> CocoCaptions:
    """The captions that eccv-caption knows, by ``caption_id``, whatever their split.

    Args:
        table: Annotations, with the columns of ``COCO_CAPTIONS``.
        path: The file that they were read from.

    Raises:
        InputError: The package isn't there, captions are missing, or they belong to other images.
    """
    metrics = _package()
    known = pa.array(metrics.coco_ids, pa.int64())
    table = table.filter(pc.is_in(table.column("caption_id"), known))
    missing = known.filter(pc.invert(pc.is_in(known, table.column("caption_id"))))
    if len(missing):
        raise InputError(
            f"{path}: {len(missing):,} of MSCOCO's {len(known):,} test captions are missing, first: caption_id "
            f"{missing[0]}; protocol eccv scores the whole test split, as `mmts prepare mscoco` writes it"
        )
    caption_ids = table.column("caption_id")
    require_unique(caption_ids.cast(pa.string()), "caption_id", path)
    if table.column("media_id").null_count:
        raise InputError(f"{path}: {table.column('media_id').null_count} of the test captions have no media_id")
    encoded = table.column("media_id").dictionary_encode().combine_chunks()
    index_m = encoded.indices.to_numpy().astype(np.int64)
    image_numbers = [_image_number(name, path) for name in encoded.dictionary.to_pylist()]
    if len(set(image_numbers)) < len(image_numbers):
        raise InputError(f"{path}: several media_id of the test captions end in the number of the same MSCOCO image")
    _refuse_other_images(table, index_m, image_numbers, metrics.coco_gts["t2i"], path)
    rows = {
        "text_to_media": {number: row for row, number in enumerate(caption_ids.to_pylist())},
        "media_to_text": {number: row for row, number in enumerate(image_numbers)},
    }
    return CocoCaptions(table.column("sample_id"), encoded.dictionary, _truth(metrics, index_m, rows))


def _package() -> Any:
    """``eccv_caption.Metrics()``, which holds the ground truths by the ids of MSCOCO."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would like ujson and tqdm
            from eccv_caption import Metrics  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(
            "--protocol eccv: needs the package eccv-caption; install mmts with its extra, mmts[eccv]"
        ) from error
    return Metrics()


def _image_number(media_id: str, path: Path) -> int:
    found = _NUMBER.search(media_id)
    if found is None:
        raise InputError(f"{path}: media_id {media_id} doesn't end in the number of an MSCOCO image")
    return int(found[1])


def _refuse_other_images(
    table: pa.Table, index_m: IntArray, image_numbers: list[int], image_of: Mapping[int, Sequence[int]], path: Path
) -> None:
    """Ids that aren't MSCOCO's own, such as row numbers, name captions of other images."""
    columns = (table.column(name).to_pylist() for name in ("sample_id", "caption_id", "media_id"))
    for row, (sample_id, caption_id, media_id) in enumerate(zip(*columns, strict=True)):
        expected = image_of[caption_id][0]
        if image_numbers[index_m[row]] != expected:
            raise InputError(
                f"{path}: {sample_id} has caption_id {caption_id}, a caption of MSCOCO's image {expected}, but "
                f"media_id {media_id}; give the id of the official annotation, as `mmts prepare mscoco` does"
            )


def _truth(metrics: Any, index_m: IntArray, rows: dict[str, dict[int, int]]) -> CocoTruth:
    captions, images = rows["text_to_media"], rows["media_to_text"]
    ordered = np.array([captions[int(number)] for number in metrics.coco_ids])
    fold_n = np.empty(len(images), dtype=np.int64)
    fold_n[index_m[ordered]] = np.arange(len(ordered)) * _FOLDS // len(ordered)  # Karpathy's order, not the file's
    sides = {"text_to_media": ("t2i", captions, images), "media_to_text": ("i2t", images, captions)}
    cxc, eccv = (
        {name: _positives(truth[key], queries, items) for name, (key, queries, items) in sides.items()}
        for truth in (metrics.cxc_gts, metrics.eccv_gts)
    )
    return CocoTruth(index_m, fold_n, cxc, eccv)


def _positives(truth: Mapping[int, Sequence[int]], queries: dict[int, int], items: dict[int, int]) -> Positives:
    count = np.zeros(len(queries), dtype=np.int64)
    query, item = [], []
    for number, positives in truth.items():
        distinct = dict.fromkeys(positives)
        count[queries[number]] = len(distinct)
        inside = [items[positive] for positive in distinct if positive in items]
        query += [queries[number]] * len(inside)
        item += inside
    return Positives(np.array(query, dtype=np.int64), np.array(item, dtype=np.int64), count)
