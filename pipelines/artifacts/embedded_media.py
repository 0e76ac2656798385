"""Media as bytes in the rows of Parquet files: which column holds them, and what a row's medium is called.

Annotations and media may be the same file, so both sides take the rule from here.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.artifacts.text import text_column

BYTE_COLUMNS = ("bytes", "image", "jpg", "jpeg", "png", "webp", "video", "mp4")
MEDIA_ID_COLUMNS = ("media_id", "image_id", "video_id", "key", "__key__", "id", "sample_id")


def byte_column(schema: pa.Schema) -> str | None:
    """The column of bytes, or of structs with ``bytes`` as the library datasets writes them, if there is one."""
    return next((name for name in BYTE_COLUMNS if name in schema.names and holds_bytes(schema.field(name).type)), None)


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes, or structs with ``bytes``."""
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def embedded_media_ids(file: pq.ParquetFile, path: Path) -> pa.ChunkedArray:
    """The id of each row's medium, where a file's rows hold media and nobody says which column names them.

    That is the first of ``MEDIA_ID_COLUMNS`` without nulls, else the ``path`` beside the bytes where every row has one,
    else ``FILE#ROW`` with the file's name without suffix and the row counted from 0.

    Args:
        file: The open file; bytes are not read.
        path: Its path.

    Returns:
        Strings, one a row.
    """
    schema = file.schema_arrow
    for name in (name for name in MEDIA_ID_COLUMNS if name in schema.names):
        if pa.types.is_nested(schema.field(name).type):
            continue
        ids = file.read(columns=[name]).column(name)
        if not ids.null_count:
            return text_column(ids, name, path)
    column = byte_column(schema)
    kind = schema.field(column).type if column else pa.null()
    if pa.types.is_struct(kind) and kind.get_field_index("path") >= 0:
        paths = pc.struct_field(file.read(columns=[f"{column}.path"]).column(column), "path")
        if not paths.null_count:
            return text_column(paths, f"{column}.path", path)
    return pa.chunked_array([[f"{path.stem}#{row}" for row in range(file.metadata.num_rows)]], pa.string())
