"""Reading users' tables: CSV, TSV, JSON lines and Parquet, as they are."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from pipelines.artifacts.files import nearest, require_file
from pipelines.artifacts.opening import open_parquet
from pipelines.errors import InputError

_JSON = (".jsonl", ".ndjson", ".json")
FORMATS = (".csv", ".tsv", *_JSON, ".parquet")


def read_source(path: Path, *, as_text: list[str], as_text_if_present: Sequence[str] = ()) -> pa.Table:
    """Read a user's table.

    Args:
        path: A .csv, .tsv, .jsonl (.ndjson, .json with one object a line) or .parquet file.
        as_text: Columns that are read as strings even where they look like numbers (an id ``007`` stays ``007``).
        as_text_if_present: The same, for columns that may be missing.

    Raises:
        InputError: The file can't be read or parsed, is of another format, has no rows, repeats a header, or lacks one
            of the columns in ``as_text``.
    """
    require_file(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: can't read '{suffix}' files; expected one of {', '.join(FORMATS)}")
    try:
        if suffix == ".parquet":
            with open_parquet(path) as file:
                table = file.read()
        elif suffix in (".csv", ".tsv"):
            text_types = dict.fromkeys([*as_text, *as_text_if_present], pa.string())
            table = pa.csv.read_csv(
                path,
                parse_options=pa.csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(column_types=text_types),
            )
        else:
            table = pa.json.read_json(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        expected = "; one JSON object a line was expected" if suffix in _JSON else ""
        raise InputError(f"{path}: can't be parsed as {suffix[1:]} ({_first_line(error)}){expected}") from error
    names = table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: the header repeats {', '.join(repeated)}")
    for name in [*as_text, *(name for name in as_text_if_present if name in names and name not in as_text)]:
        require_column(table, name, path)
        table = table.set_column(names.index(name), name, as_string(table.column(name), name, path))
    if table.num_rows == 0:
        raise InputError(f"{path}: has no rows")
    return _empty_cells_as_null(table) if suffix in (".csv", ".tsv") else table


def require_column(table: pa.Table, name: str, path: Path) -> None:
    """Check that a table has a column.

    Raises:
        InputError: It has not; names the nearest one.
    """
    if name not in table.column_names:
        raise InputError(
            f"{path}: no column '{name}'{nearest(name, table.column_names)} (columns: {', '.join(table.column_names)})"
        )


def occurrence(keys: pa.Array) -> list[int]:
    """For each row, how many rows before it have the same key."""
    seen: dict[object, int] = {}
    counts = []
    for key in keys.to_pylist():
        counts.append(seen.get(key, 0))
        seen[key] = counts[-1] + 1
    return counts


def as_string(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column as strings.

    Raises:
        InputError: It is of a type that can't be, such as a list.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column '{name}' is {column.type}; it can't be read as text") from error


def seconds(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column of seconds as float64.

    Raises:
        InputError: It holds anything but numbers.
    """
    try:
        return column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column '{name}' holds {column.type}; seconds were expected") from error


def _empty_cells_as_null(table: pa.Table) -> pa.Table:
    """Arrow reads an empty cell as null in columns of numbers, but as an empty string in columns of strings."""
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if pa.types.is_string(column.type):
            table = table.set_column(index, name, pc.if_else(pc.equal(column, ""), None, column))
    return table


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
