"""Parquet files with media in them: which column holds the bytes, and what a row's medium is called.

Such a file serves as annotations (`mmts prepare table`, which leaves the bytes where they are) and as media: both sides
name the media by the rule that stands here.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.opening import open_parquet

BYTE_COLUMNS = ("bytes", "image", "jpg", "jpeg", "png", "webp", "video", "mp4")


def byte_column(schema: pa.Schema) -> str | None:
    """The column of media: of bytes, or of structs with ``bytes`` as the library datasets writes them."""
    for name in BYTE_COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                kind = kind.field("bytes").type
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                return name
    return None


def media_ids_of_rows(paths: Sequence[Path]) -> list[pa.ChunkedArray]:
    """The media ids of Parquet files with bytes, where no column of ids is named.

    The ``path`` of each row's struct, if all rows of all files have one and no two are the same; else ``FILE#ROW`` with
    the file's name and the row's number in it from 0, which neither other rows nor the file's folder change. The bytes
    are not read.

    Args:
        paths: The files.

    Returns:
        The ids of each file's rows.

    Raises:
        InputError: A file can't be read.
    """
    numbered, inner = [], []
    for path in paths:
        with open_parquet(path) as file:
            numbered.append(pa.chunked_array([[f"{path.name}#{row}" for row in range(file.num_rows)]]))
            column = byte_column(file.schema_arrow)
            kind = None if column is None else file.schema_arrow.field(column).type
            if kind is not None and pa.types.is_struct(kind) and kind.get_field_index("path") >= 0:
                struct = file.read(columns=[f"{column}.path"]).column(column)
                inner.append(pc.struct_field(struct, "path").cast(pa.string()))
    given = pa.chunked_array([chunk for column in inner for chunk in column.chunks], pa.string())
    if len(inner) == len(paths) and not given.null_count and pc.count_distinct(given).as_py() == len(given):
        return inner
    return numbered
