"""The distinct media that some samples name."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.ids import first_few, missing_there
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

    ids: list[str]
    places: list[str | None] | None = None
    video_ids: list[str | None] | None = None
    start_s: NDArray[np.float64] | None = None
    end_s: NDArray[np.float64] | None = None
    source: Path = Path("annotations")

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, ids: list[str]) -> "MediaList":
        """Some of the media, in the order of ``ids``.

        Raises:
            InputError: Some are not in the list.
        """
        row_of = {media_id: row for row, media_id in enumerate(self.ids)}
        missing = [media_id for media_id in ids if media_id not in row_of]
        if missing:
            raise InputError(missing_there(str(self.source), missing, len(ids), "media", self.ids))
        rows = [row_of[media_id] for media_id in ids]
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
    encoded = table.column("media_id").combine_chunks().dictionary_encode()
    ids: list[str] = encoded.dictionary.to_pylist()
    media_of_sample = encoded.indices.to_numpy()
    first = np.unique(media_of_sample, return_index=True)[1]
    columns = {name: table.column(name) for name in _DESCRIBING if name in table.column_names}
    for name, column in columns.items():
        codes = _codes(column)
        differ = np.unique(media_of_sample[codes[first][media_of_sample] != codes])
        _refuse([ids[row] for row in differ], f"have samples that differ in '{name}'", path, "give each its media_id")
    starts, ends = (_seconds(columns[name], first) if name in columns else None for name in ("start_s", "end_s"))
    starts = _times(ids, starts, ends, path)
    places, video_ids = (
        columns[name].take(pa.array(first)).to_pylist() if name in columns else None for name in ("media", "video_id")
    )
    return MediaList(ids, places, video_ids, starts, ends, path)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers that are equal where values are; -1 for null."""
    indices = column.combine_chunks().dictionary_encode().indices
    return np.asarray(pc.fill_null(indices, -1).to_numpy(), dtype=np.int64)


def _seconds(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Times of some rows, NaN for null; None where all are null."""
    if column.null_count == len(column):
        return None
    return np.asarray(pc.fill_null(column.take(pa.array(rows)), float("nan")).to_numpy(), dtype=np.float64)


def _times(
    ids: list[str], starts: NDArray[np.float64] | None, ends: NDArray[np.float64] | None, path: Path
) -> NDArray[np.float64] | None:
    """The starts of clips, those before their video's moved to it, which is said once."""
    if starts is not None and ends is not None:
        _refuse([ids[row] for row in np.flatnonzero(ends < starts)], "end before they start", path, "correct the times")
    if ends is not None:
        early = [ids[row] for row in np.flatnonzero(ends < 0)]
        _refuse(early, "end before their video begins", path, "correct the times, which are seconds from its begin")
    for times in (starts, ends):
        if times is not None:
            endless = [ids[row] for row in np.flatnonzero(np.isinf(times))]
            _refuse(endless, "have infinite times", path, "leave a time empty for the video's start or end")
    if starts is not None and (early := [ids[row] for row in np.flatnonzero(starts < 0)]):
        warnings.warn(
            f"{path}: {len(early)} media start before their video, first: {first_few(early)}; they begin with it",
            stacklevel=3,
        )
        return starts.clip(0)
    return starts


def _refuse(ids: list[str], what: str, path: Path, remedy: str) -> None:
    if ids:
        raise InputError(f"{path}: {len(ids)} media {what}, first: {first_few(ids)}; {remedy}")
