"""Opening Parquet: a file, a folder of parts or a pattern, damaged ones refused in one line."""

import bisect
import contextlib
import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts.files import require_file
from pipelines.artifacts.ids import shortened
from pipelines.errors import InputError

# Vectors of other tools, which `mmts prepare features` reads, or says how to convert.
_VECTORS = (".npy", ".npz", ".safetensors", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5", ".mat")
_MAGIC = b"PAR1"  # what a Parquet file begins with
PARQUET_SUFFIXES = (".parquet", ".pq")
_WILDCARD = re.compile(r"[*?\[]")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern such as ``part-*.parquet``, and not the name of a file, or of one that is missing."""
    return not os.path.exists(path) and _WILDCARD.search(str(_folder_and_pattern(path)[1])) is not None


def is_there(path: Path) -> bool:
    """Whether there is a file or a folder of this name, or a file that a pattern matches."""
    return os.path.exists(path) or bool(_matching(path))


def _matching(pattern: Path) -> list[Path]:
    folder, rest = _folder_and_pattern(pattern)
    return sorted(folder / name for name in glob.glob(str(rest), root_dir=folder) if (folder / name).is_file())


def _folder_and_pattern(path: Path) -> tuple[Path, Path]:
    """The longest beginning of a path that is there, whatever characters it has, and the rest."""
    folder = next(parent for parent in path.parents if os.path.exists(parent))
    return folder, path.relative_to(folder)


def matches(path: Path, pattern: Path) -> bool:
    """Whether a pattern takes in a path that need not be there."""
    folder, rest = _folder_and_pattern(pattern)
    names, patterns = path.resolve().parts, (*folder.resolve().parts, *rest.parts)
    first = len(patterns) - len(rest.parts)
    return (
        len(names) == len(patterns)
        and names[:first] == patterns[:first]
        and all(map(fnmatch.fnmatch, names[first:], patterns[first:]))
    )


def files_matching(pattern: Path) -> list[Path]:
    """The files that a pattern matches, sorted by name.

    Raises:
        InputError: There is none.
    """
    files = _matching(pattern)
    if not files:
        raise InputError(f"{pattern}: no file matches this pattern")
    return files


def parquet_files(path: Path) -> list[Path]:
    """The files of what a path stands for: a file; those of a pattern; or the parts in a folder, by name.

    Raises:
        InputError: A file is missing, empty or not readable, or there is none.
    """
    if is_pattern(path):
        files = files_matching(path)
    elif os.path.isdir(path):
        files = parts_in(path)
        if not files:
            raise InputError(f"{path}: is a directory; a file was expected, or a folder of nothing but Parquet files")
    else:
        files = [path]
    for file in files:
        require_file(file)
    return files


def parts_in(folder: Path) -> list[Path]:
    """The Parquet files of a folder that holds nothing else, by name; none of any other folder.

    Names that begin with a dot or an underscore, such as ``_SUCCESS``, don't count.
    """
    parts = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith((".", "_")):
                if not entry.name.endswith(PARQUET_SUFFIXES) or not entry.is_file():
                    return []
                parts.append(folder / entry.name)
    return sorted(parts)


_Part = TypeVar("_Part", pa.Table, pa.RecordBatch)


class ParquetRows:
    """The rows of Parquet files, one file after the other, of which one is open at a time.

    Attributes:
        files: The files.
        schema_arrow: Their columns, of types that hold what each file has.
        num_rows: Rows in all.
        num_row_groups: Row groups in all.
        reading: The file that was read last.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.reading = files[0]
        self._number, self._opened = -1, contextlib.ExitStack()
        self._first_group: list[int] = []  # of each file
        self._states = [_state(path) for path in files]
        self.num_rows = self.num_row_groups = 0

    def open(self) -> None:
        """Read the footers.

        Raises:
            InputError: The files are no parts of one table: they differ in their columns.
        """
        for number, path in enumerate(self.files):
            file = self._file(number)
            schema = pa.schema([field.with_type(_plain_type(field.type)) for field in file.schema_arrow])
            self.schema_arrow: pa.Schema = schema if number == 0 else _unified(self.schema_arrow, schema, path)
            self._first_group.append(self.num_row_groups)
            self.num_row_groups += file.num_row_groups
            self.num_rows += file.metadata.num_rows

    def row_groups(self) -> Iterator[Any]:
        """The metadata of the row groups: their sizes."""
        for number in range(len(self.files)):
            file = self._file(number)
            yield from (file.metadata.row_group(group) for group in range(file.num_row_groups))

    def key_values(self) -> list[dict[bytes, bytes]]:
        """The key-value metadata in each file's footer."""
        return [self._file(number).metadata.metadata or {} for number in range(len(self.files))]

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """All rows."""
        return pa.concat_tables(
            self._cast(self._file(number).read(columns=columns)) for number in range(len(self.files))
        )

    def read_row_group(self, group: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one row group."""
        number = bisect.bisect_right(self._first_group, group) - 1
        return self._cast(self._file(number).read_row_group(group - self._first_group[number], columns=columns))

    def iter_batches(self, batch_size: int = 65_536, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most so many."""
        for number in range(len(self.files)):
            for group in range(self._file(number).num_row_groups):  # else Arrow keeps the bytes of those it has read
                yield from map(self._cast, self._file(number).iter_batches(batch_size, [group], columns))

    def close(self) -> None:
        """Close the file that is open."""
        self._opened.close()
        self._number = -1

    def _file(self, number: int) -> pq.ParquetFile:
        if number != self._number:
            self.close()
            self.reading = path = self.files[number]
            if self._states[number] is None or self._states[number] != _state(path):
                raise InputError(f"{path}: was removed or changed while it was read; run this again")
            with path.open("rb") as handle:
                if not _MAGIC.startswith(handle.read(len(_MAGIC))):
                    raise InputError(f"{path}: is not a Parquet file; {_what_reads(path)}")
            self._current = self._opened.enter_context(pq.ParquetFile(path, page_checksum_verification=True))
            self._number = number
        return self._current

    def _cast(self, part: _Part) -> _Part:
        """Rows of one file in the order and types of all files' columns.

        Raises:
            InputError: A number is too large for the type.
        """
        part = _plain(part)
        schema = pa.schema([field for field in self.schema_arrow if field.name in part.schema.names])
        if len(self.files) == 1 or part.schema.equals(schema):
            return part
        try:
            return part.select(schema.names).cast(schema)
        except pa.ArrowInvalid as error:
            raise _differs(self.reading, error) from error


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """What a column is read as: of an extension of Arrow's types, such as a tensor, what it is made of."""
    if not isinstance(kind, pa.BaseExtensionType):
        return kind
    return pa.string() if kind == pa.uuid() else kind.storage_type


def _plain(part: _Part) -> _Part:
    """Rows whose columns are of plain types; UUIDs as they are written."""
    for place, field in enumerate(part.schema):
        kind = _plain_type(field.type)
        if kind != field.type:
            column = part.column(place)
            if field.type == pa.uuid():
                column = pa.array([value and str(value) for value in column.to_pylist()], kind)
            else:
                column = column.cast(kind)
            part = part.set_column(place, field.with_type(kind), column)
    return part


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file's content; None where there is no file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _unified(schema: pa.Schema, other: pa.Schema, path: Path) -> pa.Schema:
    """The columns of a table with one more part, of types that hold what the parts before it have and what it has.

    Raises:
        InputError: The file is no part of this table.
    """
    odd = sorted(set(schema.names) ^ set(other.names))
    if odd:
        column = shortened(odd[0])
        raise InputError(
            f"{path}: is no part of one table with the files before it, only one has a column '{column}'; name the file"
        )
    try:
        return pa.unify_schemas([schema, other], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise _differs(path, error) from error


def _differs(path: Path, error: Exception) -> InputError:
    reason = shortened(str(error).splitlines()[0].removeprefix("Unable to merge: "), 120)
    return InputError(f"{path}: has a column of another type than the files before it ({reason}); write them alike")


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator[ParquetRows]:
    """Open Parquet, see `parquet_files`; damage found while reading inside the block is reported as well.

    Raises:
        InputError: A file is missing, empty, or not whole Parquet, or several are no parts of one table.
    """
    rows = ParquetRows(parquet_files(path))
    try:
        with contextlib.closing(rows):
            rows.open()
            yield rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{rows.reading}: truncated or damaged Parquet file ({reason}); make it again") from error


def _what_reads(path: Path) -> str:
    if path.suffix.lower() in _VECTORS:
        return "`mmts prepare features` makes media_id and embedding of .npy, .npz and .safetensors"
    return "`mmts prepare table` makes annotations of CSV, TSV and JSON lines"
