"""EPIC-KITCHENS-100's clips, classes and retrieval sentences, from annotations as `mmts prepare ek100` writes them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.annotations import rows_of_split
from pipelines.artifacts.ids import first_few, require_unique
from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import Kind
from pipelines.errors import InputError

CLIPS = Kind(
    "EK-100 annotations",
    "sample_id",
    {
        "sample_id": pa.string(),
        "verb_class": pa.int32(),
        "noun_class": pa.int32(),
        "all_noun_classes": pa.list_(pa.int32()),
        "retrieval_sentence": pa.bool_(),
    },
    {"media_id": pa.string(), "split": pa.string()},
)


@dataclass(frozen=True)
class Clips:
    """The n clips of a split, m of which carry a retrieval sentence.

    Attributes:
        sample_ids: Id of each clip's row, its ``narration_id``.
        media_ids: Id of each clip.
        clip_of_sentence: Row of the clip that each sentence names, shape ``(m,)``.
        verb_class: Shape ``(n,)``.
        noun_class: Shape ``(n,)``.
        all_noun_classes: The noun classes of each clip.
    """

    sample_ids: pa.ChunkedArray
    media_ids: pa.Array
    clip_of_sentence: NDArray[np.int64]
    verb_class: NDArray[np.int32]
    noun_class: NDArray[np.int32]
    all_noun_classes: list[list[int]]

    @property
    def sentence_ids(self) -> pa.ChunkedArray:
        """Id of the row whose caption each sentence is."""
        return self.sample_ids.take(pa.array(self.clip_of_sentence))


def read_clips(path: Path, split: str) -> Clips:
    """Read the clips of a split: every row is one, those with ``retrieval_sentence`` name a sentence.

    Raises:
        InputError: A column is missing or of another type, a row has no class, rows share a clip, or no row of the
            split is a sentence.
    """
    return clips_of(read_table(path, CLIPS), split, path)


def clips_of(table: pa.Table, split: str, path: Path) -> Clips:
    """The clips of a split of annotations that have been read, with the columns of ``CLIPS``.

    Raises:
        InputError: As `read_clips`, but for the columns.
    """
    table = rows_of_split(table, split, path)
    for name in CLIPS.columns:
        column = table.column(name)
        missing = pc.is_null(column)
        if pa.types.is_list(column.type):
            missing = pc.or_kleene(missing, pc.equal(pc.list_value_length(column), 0))
        _refuse_rows(table, missing, f"have no {name}", path)
    media_ids = table.column("media_id" if "media_id" in table.column_names else "sample_id")
    require_unique(media_ids, "media_id", path)
    sentence_rows = np.flatnonzero(table.column("retrieval_sentence").to_numpy())
    if not len(sentence_rows):
        raise InputError(
            f"{path}: no row of split '{split}' has retrieval_sentence true; those rows are EK-100's sentences"
        )
    return Clips(
        table.column("sample_id"),
        media_ids.combine_chunks(),
        sentence_rows,
        table.column("verb_class").to_numpy(),
        table.column("noun_class").to_numpy(),
        table.column("all_noun_classes").to_pylist(),
    )


def _refuse_rows(table: pa.Table, bad: pa.ChunkedArray, what: str, path: Path) -> None:
    rows = table.column("sample_id").filter(bad)
    if len(rows):
        raise InputError(f"{path}: {len(rows)} rows {what}, first: {first_few(rows.slice(0, 3).to_pylist())}")
