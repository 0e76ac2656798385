"""Reading users' tables: text of cells, JSON and Parquet, as they are."""

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.annotations.checks import MEDIA, ROW, SOURCE
from pipelines.annotations.columns import require_column, require_distinct, typed
from pipelines.annotations.delimited import AS_FOUND, Dialect, read_delimited
from pipelines.annotations.json_rows import holds_json, read_json_rows
from pipelines.annotations.text_files import COMPRESSED
from pipelines.artifacts import canonical_split, open_parquet, text_column
from pipelines.artifacts.files import require_file
from pipelines.artifacts.ids import shortened
from pipelines.artifacts.media_tables import BYTE_COLUMNS, byte_column, media_ids_of_rows
from pipelines.artifacts.opening import files_matching, is_pattern
from pipelines.errors import InputError

_SEPARATED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_JSON = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_FORMATS = (*_SEPARATED, *_JSON, *_PARQUET)


def source_files(source: Path) -> list[Path]:
    """The files of a table: one, those that a pattern such as ``train-*.parquet`` matches, or those in a folder.

    Of a folder the Parquet files are taken if there are any, else all tables; folders in it are not looked into.

    Raises:
        InputError: There is none, or a folder has tables of several formats.
    """
    if _is_folder(source):
        tables = sorted(
            path for path in source.iterdir() if _format(path) in _FORMATS and not path.name.startswith(".")
        )
        files = [path for path in tables if _format(path) in _PARQUET] or tables
        formats = {_format(path) for path in files}
        if not files:
            raise InputError(f"{source}: is a directory; a file was expected, or a folder that has tables in it")
        if len(formats) > 1:
            raise InputError(
                f"{source}: has tables of several formats ({', '.join(sorted(formats))}); name one of them"
            )
        return files
    if is_pattern(source):
        return files_matching(source)
    return [source]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name too long for the file system
        raise InputError(
            f"{shortened(str(path))}: can't be read ({error.strerror}); give the name of a file"
        ) from error


def read_sources(
    files: Sequence[Path],
    *,
    as_text: Sequence[str],
    as_text_if_present: Sequence[str] = (),
    dialect: Dialect = AS_FOUND,
    ids: Sequence[str] = (),
) -> pa.Table:
    """Read one table from several files, as `read_source` reads each; a column that one of them lacks is null there.

    Where there are several, none has a column ``split``, and all names begin with a split's (``train-00000.parquet``),
    that is their split.

    Returns:
        The rows, with the columns ``SOURCE`` and ``ROW`` of `pipelines.annotations.checks`, and ``MEDIA`` where the
        files hold media as bytes.

    Raises:
        InputError: As `read_source`, or columns are of different types.
    """
    splits = [canonical_split(re.split(r"[^A-Za-z]", path.name)[0]) for path in files]
    tables = []
    for path, split in zip(files, splits, strict=True):
        table = read_source(path, as_text=as_text, as_text_if_present=as_text_if_present, dialect=dialect, ids=ids)
        rows = table.num_rows
        table = table.append_column(SOURCE, pa.array([path.name] * rows, pa.string()))
        table = table.append_column(ROW, pa.array(range(1, rows + 1), pa.int64()))
        tables.append((table, split))
    by_name = len(files) > 1 and set(splits) <= {"train", "val", "test"}
    if by_name and not any("split" in table.column_names for table, _ in tables):
        tables = [(table.append_column("split", pa.array([split] * len(table))), split) for table, split in tables]
    try:
        table = pa.concat_tables([table for table, _ in tables], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = shortened(str(error).splitlines()[0], 80)
        raise InputError(
            f"{files[0]} and {len(files) - 1} more: their columns differ ({reason}); write them alike"
        ) from error
    media_ids = _media_ids(files)
    return table if media_ids is None else table.append_column(MEDIA, media_ids)


def _media_ids(files: Sequence[Path]) -> pa.ChunkedArray | None:
    if any(_format(path) not in _PARQUET for path in files):
        return None
    for path in files:
        with open_parquet(path) as file:
            if byte_column(file.schema_arrow) is None:
                return None
    return pa.chunked_array([chunk for ids in media_ids_of_rows(files) for chunk in ids.chunks], pa.string())


def read_source(
    path: Path,
    *,
    as_text: Sequence[str],
    as_text_if_present: Sequence[str] = (),
    dialect: Dialect = AS_FOUND,
    ids: Sequence[str] = (),
) -> pa.Table:
    """Read a user's table.

    Columns of text are what the file says, letter by letter. Media that a Parquet file holds as bytes are not read.

    Args:
        path: A file of cells (.csv, .tsv), JSON lines or an array (.jsonl, .json) or .parquet; all but the last may be
            compressed.
        as_text: Columns that are read as strings even where they look like numbers (an id ``007`` stays ``007``), or as
            lists of strings.
        as_text_if_present: The same, for columns that may be missing.
        dialect: What the user says of a text file.
        ids: Columns of text whose values are names, so no fractions.

    Raises:
        InputError: The file can't be read or parsed, is of another format, has no rows, repeats a header, or lacks one
            of the columns in ``as_text``.
    """
    require_file(path)
    kind = _format(path)
    if kind not in _FORMATS:
        raise InputError(
            f"{path}: can't read '{shortened(kind)}' files; expected one of {', '.join(_FORMATS)}; save a sheet as CSV"
        )
    texts = list(dict.fromkeys([*as_text, *as_text_if_present]))
    if kind in _PARQUET:
        if dialect.is_given:
            raise InputError(f"{path}: is Parquet; --separator, --quote and --encoding are for text files")
        table = _read_parquet(path, texts, ids)
    elif kind in _JSON or (not dialect.separator and not dialect.quote and holds_json(path, dialect.encoding)):
        if kind not in _JSON:
            warnings.warn(f"{path}: read as JSON", stacklevel=2)
        if dialect.separator or dialect.quote:
            raise InputError(f"{path}: is JSON; --separator and --quote are for CSV and its kin")
        table = read_json_rows(path, dialect.encoding, texts)
    else:
        table = _apply(typed, read_delimited(path, dialect, as_text, _SEPARATED[kind]), but=texts)
    for name in as_text:
        require_column(table, name, path)
    if table.num_rows == 0:
        raise InputError(f"{path}: has no rows")
    return table


def _format(path: Path) -> str:
    """The suffix, that of a compressed file without the compression's."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSED else suffix


def _apply(change: Callable[[pa.ChunkedArray], pa.ChunkedArray], table: pa.Table, *, but: Sequence[str]) -> pa.Table:
    return pa.table({name: table[name] if name in but else change(table[name]) for name in table.column_names})


def _read_parquet(path: Path, texts: Sequence[str], ids: Sequence[str]) -> pa.Table:
    with open_parquet(path) as file:
        schema = file.schema_arrow
        names = schema.names
        require_distinct(names, path)
        media = [name for name in names if _is_media(schema.field(name), texts)]
        if asked := [name for name in media if name in texts]:
            raise InputError(
                f"{path}: column '{asked[0]}' holds media, not their names; name its rows with --media-id-column and "
                "give the file as --media later"
            )
        table = file.read(columns=[name for name in names if name not in media])
    for name in [name for name in table.column_names if name in texts]:
        place = table.column_names.index(name)
        table = table.set_column(place, name, _text_or_lists(table.column(name), name, path, name in ids))
    return table


def _is_media(field: pa.Field, texts: Sequence[str]) -> bool:
    """Whether a column holds media as bytes; text may be stored as bytes too."""
    kind = field.type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type)
    return field.name in BYTE_COLUMNS and field.name not in texts and _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _text_or_lists(column: pa.ChunkedArray, name: str, path: Path, is_id: bool) -> pa.ChunkedArray:
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if is_list and (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)):
        text_column(pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type), name, path)
        return column.cast(pa.list_(pa.string()))
    return text_column(column, name, path, is_id=is_id)
