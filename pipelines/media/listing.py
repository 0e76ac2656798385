"""The distinct media that some samples name."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.ids import align, first_few
from pipelines.artifacts.strings import StringList, string_column
from pipelines.errors import InputError

_DESCRIBING = ("media", "video_id", "start_s", "end_s")


@dataclass(frozen=True)
class MediaList:
    """m media, each once.

    Attributes:
        ids: Media ids; a row is a place in this list.
        places: Path or URI of each, where the annotations have ``media``.
        video_ids: Video each is a clip of, where the annotations have ``video_id``.
        start_s: Start of each clip in its video in seconds ``(m,)``, NaN where it has none; None for whole media.
        end_s: End of each clip, likewise.
        source: The file that names them, for messages.
    """

    ids: Sequence[str]
    places: Sequence[str | None] | None = None
    video_ids: Sequence[str | None] | None = None
    start_s: NDArray[np.float64] | None = None
    end_s: NDArray[np.float64] | None = None
    source: Path = Path("annotations")

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, ids: Sequence[str]) -> "MediaList":
        """Some of the media, in the order of ``ids``.

        Raises:
            InputError: Some are not in the list.
        """
        rows = align(string_column(ids), string_column(self.ids), what="media", path=self.source)
        return MediaList(
            ids,
            None if self.places is None else [self.places[row] for row in rows],
            None if self.video_ids is None else [self.video_ids[row] for row in rows],
            None if self.start_s is None else self.start_s[rows],
            None if self.end_s is None else self.end_s[rows],
            self.source,
        )


def media_list(table: pa.Table, path: Path = Path("annotations")) -> MediaList:
    """The media of some samples, in the order in which samples first name them.

    Args:
        table: Annotations with ``media_id``, as ``read_annotations`` gives them; ``media``, ``video_id``, ``start_s``
            and ``end_s`` are used where they are there.
        path: Where the annotations came from.

    Raises:
        InputError: Samples of one medium say different things of it, or a clip ends before it or its video starts; says
            how many and which first.
    """
    encoded = table.column("media_id").dictionary_encode().combine_chunks()
    ids: StringList[str] = StringList(pa.chunked_array([encoded.dictionary]))
    media_of_sample = encoded.indices.to_numpy()
    first = np.unique(media_of_sample, return_index=True)[1]
    columns = {name: table.column(name) for name in _DESCRIBING if name in table.column_names}
    for name, column in columns.items():
        codes = _codes(column)
        differ = np.unique(media_of_sample[codes[first][media_of_sample] != codes])
        _refuse(ids, differ, f"have samples that differ in '{name}'", path, "give each its media_id")
    starts, ends = (_seconds(columns[name], first) if name in columns else None for name in ("start_s", "end_s"))
    starts = _times(ids, starts, ends, path)
    places, video_ids = (
        StringList[str | None](columns[name].take(pa.array(first))) if name in columns else None
        for name in ("media", "video_id")
    )
    return MediaList(ids, places, video_ids, starts, ends, path)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers that are equal where values are; -1 for null."""
    indices = column.dictionary_encode().combine_chunks().indices
    return np.asarray(pc.fill_null(indices, -1).to_numpy(), dtype=np.int64)


def _seconds(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Times of some rows, NaN for null; None where all are null."""
    if column.null_count == len(column):
        return None
    return np.asarray(pc.fill_null(column.take(pa.array(rows)), float("nan")).to_numpy(), dtype=np.float64)


def _times(
    ids: Sequence[str], starts: NDArray[np.float64] | None, ends: NDArray[np.float64] | None, path: Path
) -> NDArray[np.float64] | None:
    """The starts of clips, those before their video's moved to it, which is said once."""
    if starts is not None and ends is not None:
        _refuse(ids, np.flatnonzero(ends < starts), "end before they start", path, "correct the times")
    if ends is not None:
        remedy = "correct the times, which are seconds from its begin"
        _refuse(ids, np.flatnonzero(ends < 0), "end before their video begins", path, remedy)
    for times in (starts, ends):
        if times is not None:
            remedy = "leave a time empty for the video's start or end"
            _refuse(ids, np.flatnonzero(np.isinf(times)), "have infinite times", path, remedy)
    if starts is not None and len(early := np.flatnonzero(starts < 0)):
        first = first_few(ids[row] for row in early.tolist())
        warnings.warn(
            f"{path}: {len(early)} media start before their video, first: {first}; they begin with it",
            stacklevel=3,
        )
        return starts.clip(0)
    return starts


def _refuse(ids: Sequence[str], rows: NDArray[np.integer[Any]], what: str, path: Path, remedy: str) -> None:
    if len(rows):
        first = first_few(ids[row] for row in rows.tolist())
        raise InputError(f"{path}: {len(rows)} media {what}, first: {first}; {remedy}")
