"""Opening Parquet: a file, a folder of parts or a pattern, damaged ones refused in one line."""

import bisect
import contextlib
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError

# Vectors of other tools, which `mmts prepare features` reads, or says how to convert.
_VECTORS = (".npy", ".npz", ".safetensors", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5", ".mat")
_MAGIC = b"PAR1"  # what a Parquet file begins with
PARQUET_SUFFIXES = (".parquet", ".pq")
_WILDCARD = re.compile(r"[*?\[]")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern such as ``part-*.parquet``, and not the name of a file."""
    return _WILDCARD.search(str(path)) is not None and not os.path.exists(path)


def files_matching(pattern: Path) -> list[Path]:
    """The files that a pattern matches, sorted by name.

    Raises:
        InputError: There is none.
    """
    files = sorted(Path(name) for name in glob.glob(str(pattern)) if Path(name).is_file())
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


class ParquetRows:
    """The rows of Parquet files, one file after the other, of which one is open at a time.

    Attributes:
        files: The files.
        schema_arrow: Their columns.
        num_rows: Rows in all.
        num_row_groups: Row groups in all.
        reading: The file that was read last.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.reading = files[0]
        self._number, self._opened = -1, contextlib.ExitStack()
        self._first_group: list[int] = []  # of each file
        self.num_rows = self.num_row_groups = 0

    def open(self) -> None:
        """Read the footers.

        Raises:
            InputError: The files are no parts of one table: they have other columns, or lists of other types.
        """
        for number in range(len(self.files)):
            file = self._file(number)
            if number == 0:
                self.schema_arrow: pa.Schema = file.schema_arrow
            _require_parts(self.files[0], self.schema_arrow, self.files[number], file.schema_arrow)
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
        """All rows.

        Raises:
            InputError: The files have columns of types that don't go together.
        """
        tables = [self._file(number).read(columns=columns) for number in range(len(self.files))]
        if len(tables) == 1:
            return tables[0]
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            reason = str(error).splitlines()[0][:80]
            raise InputError(f"{self.files[0].parent}: its files differ in a column's type ({reason})") from error

    def read_row_group(self, group: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one row group."""
        number = bisect.bisect_right(self._first_group, group) - 1
        return self._file(number).read_row_group(group - self._first_group[number], columns=columns)

    def iter_batches(self, batch_size: int = 65_536, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most so many."""
        for number in range(len(self.files)):
            yield from self._file(number).iter_batches(batch_size=batch_size, columns=columns)

    def close(self) -> None:
        """Close the file that is open."""
        self._opened.close()
        self._number = -1

    def _file(self, number: int) -> pq.ParquetFile:
        if number != self._number:
            self.close()
            self.reading = path = self.files[number]
            with path.open("rb") as handle:
                if not _MAGIC.startswith(handle.read(len(_MAGIC))):
                    raise InputError(f"{path}: is not a Parquet file; {_what_reads(path)}")
            self._current = self._opened.enter_context(pq.ParquetFile(path, page_checksum_verification=True))
            self._number = number
        return self._current


def _require_parts(first: Path, schema: pa.Schema, path: Path, other: pa.Schema) -> None:
    """Check that a file is a part of the table that the first one begins.

    Raises:
        InputError: It is not.
    """
    odd = sorted(set(schema.names) ^ set(other.names))
    if odd:
        raise InputError(
            f"{path.parent}: {first.name} and {path.name} are no parts of one table, only one has a column "
            f"'{odd[0]}'; name the file"
        )
    for field in schema:
        kind = other.field(field.name).type if path != first else field.type
        if kind != field.type and pa.types.is_nested(kind):  # numbers and text of other types are read as one
            raise InputError(
                f"{path.parent}: {first.name} and {path.name} differ in column '{field.name}', which is {field.type} "
                f"and {kind}; write them alike"
            )


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
