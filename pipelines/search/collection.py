"""What is searched: the media or the distinct texts of a split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import read_annotations, require_texts, rows_of_split

Among = Literal["media", "text"]
ALL_SPLITS = "all"


@dataclass(frozen=True)
class Collection:
    """The media or the texts that are searched, each once, in the order of the annotations.

    Attributes:
        annotations: All annotated samples.
        samples: Those of the split.
        among: What is searched.
        ids: ``media_id`` of each medium, or ``sample_id`` of the first sample of each distinct text ``(n,)``.
        item_of_sample: The medium or the text of each sample of the split, a place in ``ids``.
        in_all: How many media or distinct texts all splits have.
    """

    annotations: pa.Table
    samples: pa.Table
    among: Among
    ids: pa.ChunkedArray
    item_of_sample: NDArray[np.int64]
    in_all: int

    @property
    def key(self) -> str:
        """What ``ids`` are called."""
        return "media_id" if self.among == "media" else "sample_id"


def read_collection(path: Path, split: str, among: Among) -> Collection:
    """The media or the distinct texts of a split.

    Args:
        path: Annotations file.
        split: The split; ``all`` for all samples.
        among: ``media`` or ``text``.

    Raises:
        InputError: The file can't be used, has no rows of the split, or texts that are searched are empty.
    """
    table = read_annotations(path)
    samples = table if split == ALL_SPLITS else rows_of_split(table, split, path)
    if among == "text":
        require_texts(samples, path)
    name = "media_id" if among == "media" else "text"
    encoded = samples.column(name).dictionary_encode().combine_chunks()
    item_of_sample = encoded.indices.to_numpy().astype(np.int64)
    first_n = np.unique(item_of_sample, return_index=True)[1]
    ids = samples.column("media_id" if among == "media" else "sample_id").take(pa.array(first_n))
    return Collection(table, samples, among, ids, item_of_sample, pc.count_distinct(table.column(name)).as_py())
