"""Which rows of Parquet files with bytes the media wanted are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import open_parquet, require_unique, text_column
from pipelines.artifacts.media_tables import media_ids_of_rows
from pipelines.artifacts.strings import string_column
from pipelines.errors import InputError
from pipelines.media.finding import find, refuse_missing
from pipelines.media.listing import MediaList

_ID_COLUMNS = ("media_id", "image_id", "video_id", "key", "__key__", "id", "sample_id")
_ROWS = "the names of rows"
_TEXT = pa.large_string()  # a column that is looked through may hold captions, of more than 2 GiB


def rows_of_media(media: MediaList, paths: Sequence[Path], where: str, suffixes: tuple[str, ...]) -> NDArray[np.int64]:
    """The row of each medium, counted through all files.

    Media are named by the column ``media_id`` where there is one. Else by a usual column of ids or the names that
    `media_ids_of_rows` gives, whichever holds them all; else by any other column of text or whole numbers that does,
    since `mmts prepare table --media-id-column` may have named it. What none holds is looked up as file names are.

    Raises:
        InputError: Media are missing; an id is there twice; or two columns hold all ids, in different rows.
    """
    wanted = string_column(media.ids).cast(_TEXT)
    columns = _columns_of_ids(paths)
    usual = [name for name in _ID_COLUMNS if name in columns]
    others = [name for name in columns if name not in usual]
    groups = [["media_id"]] if "media_id" in columns else [[*usual, _ROWS], others]
    repeating: list[tuple[str, pa.ChunkedArray]] = []
    for group in groups:
        held: dict[str, NDArray[np.int64]] = {}
        for name in group:
            ids = _of_all(paths, name)
            found = pc.index_in(wanted, value_set=ids)
            if not found.null_count:
                of_media = ids.filter(pc.is_in(ids, value_set=wanted))
                if len(of_media) > len(wanted):
                    repeating.append((name, of_media))
                else:
                    held[name] = found.to_numpy().astype(np.int64)
        if held:
            return _the_same(held, where)
    for name, of_media in repeating:
        require_unique(of_media, name, Path(where))
    names = _of_all(paths, groups[0][0])
    rows = find(media, [name or "" for name in names.to_pylist()], suffixes, where)
    refuse_missing(where, media, np.flatnonzero(rows < 0), iter(names.drop_null().slice(0, 2).to_pylist()))
    return rows


def _columns_of_ids(paths: Sequence[Path]) -> list[str]:
    """Columns of text or whole numbers that all files have."""
    common: list[str] | None = None
    for path in paths:
        with open_parquet(path) as file:
            schema = file.schema_arrow
        names = [field.name for field in schema if _may_be_ids(field.type)]
        common = names if common is None else [name for name in common if name in names]
    return common or []


def _may_be_ids(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _of_all(paths: Sequence[Path], name: str) -> pa.ChunkedArray:
    """A column of all files as text, one after another."""

    def columns() -> Iterator[pa.ChunkedArray]:
        for path in paths:
            with open_parquet(path) as file:
                yield text_column(file.read(columns=[name]).column(name), name, path, is_id=True, target=_TEXT)

    parts = media_ids_of_rows(paths) if name == _ROWS else columns()
    return pa.chunked_array([chunk.cast(_TEXT) for part in parts for chunk in part.chunks], _TEXT)


def _the_same(held: dict[str, NDArray[np.int64]], where: str) -> NDArray[np.int64]:
    (first, rows), *others = held.items()
    for name, other in others:
        if not np.array_equal(rows, other):
            raise InputError(
                f"{where}: {first} and {name} both hold the ids of the media, in different rows; name the right column "
                "media_id"
            )
    return rows
