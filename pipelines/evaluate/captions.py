"""What protocols ``captions`` and ``pairs`` read: the texts of a split, and the media that they are to find."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import align, read_vector_ids, rows_of_split, with_media_ids
from pipelines.errors import InputError
from pipelines.scores.similarity import IntArray

BoolArray = NDArray[np.bool_]
Gallery = Literal["split", "all"]


@dataclass(frozen=True)
class Captions:
    """The m texts of a split, and n media.

    Attributes:
        sample_ids: Id of each text.
        media_ids: Id of each medium.
        media_of_text: Medium of each text, shape ``(m,)``.
    """

    sample_ids: pa.ChunkedArray
    media_ids: pa.Array
    media_of_text: IntArray

    def of_media(self, kept_n: BoolArray) -> tuple["Captions", BoolArray]:
        """Those of some media, and which of the texts these are, shape ``(m,)``."""
        kept_m = kept_n[self.media_of_text]
        row_n = np.cumsum(kept_n) - 1
        rows = row_n[self.media_of_text[kept_m]]
        return Captions(self.sample_ids.filter(pa.array(kept_m)), self.media_ids.filter(pa.array(kept_n)), rows), kept_m


def captions_of(table: pa.Table, annotations: Path, split: str, media: Path | None, gallery: Gallery) -> Captions:
    """The texts of a split.

    Args:
        table: Annotations.
        annotations: The file that they were read from.
        split: The split; all rows where the annotations have none.
        media: Features file of the media; anything else that media are in, or None, for the gallery of the split.
        gallery: The media of the ``split``, in the order of the annotations, or ``all`` of the features file, in its
            order.

    Raises:
        InputError: A file can't be used, or has none of the split or not all of its media.
    """
    table = rows_of_split(with_media_ids(table, annotations), split, annotations)
    sample_ids, media_of_sample = table.column("sample_id"), table.column("media_id")
    if gallery == "all":
        from pipelines.media import holds_features  # brings torch

        if media is None or not holds_features(media):
            raise InputError(
                f"--gallery all takes a features file, not {media or 'annotations'}; make one with `mmts embed --media`"
            )
        ids = read_vector_ids(media)
        return Captions(sample_ids, ids.combine_chunks(), align(media_of_sample, ids, what="media", path=media))
    encoded = media_of_sample.dictionary_encode().combine_chunks()
    return Captions(sample_ids, encoded.dictionary, encoded.indices.to_numpy().astype(np.int64))
