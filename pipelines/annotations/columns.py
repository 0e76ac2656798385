"""Columns of users' tables."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.files import nearest
from pipelines.artifacts.ids import first_few, shortened
from pipelines.errors import InputError

# Numbers spelled as numbers are; "007", "1e5" and "+1" may be names.
_NUMBERS = {
    r"^(?:0|-?[1-9]\d{0,17})$": pa.int64(),
    r"^-?(?:0|[1-9]\d{0,14})(?:\.\d+(?:[eE][+-]?\d{1,2})?)?$": pa.float64(),
}


def require_column(table: pa.Table, name: str, path: Path) -> None:
    """Check that a table has a column.

    Raises:
        InputError: It has not; names the nearest one.
    """
    if name not in table.column_names:
        theirs = [column for column in table.column_names if not column.startswith("\0")]  # without those of `checks`
        present = shortened(", ".join(theirs), 100)
        raise InputError(f"{path}: no column '{shortened(name)}'{nearest(name, theirs)} (columns: {present})")


def require_distinct(names: Sequence[str], path: Path) -> None:
    """Check that no name of a header occurs twice.

    Raises:
        InputError: One does.
    """
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise InputError(f"{path}: the header repeats {first_few(repeated)}; rename all but one of each")


def occurrence(keys: pa.Array) -> list[int]:
    """For each row, how many rows before it have the same key."""
    seen: dict[object, int] = {}
    counts = []
    for key in keys.to_pylist():
        counts.append(seen.get(key, 0))
        seen[key] = counts[-1] + 1
    return counts


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Strings as int64 or float64 where each is spelled as such a number is, else as they are."""
    values = column.unique().drop_null()
    for pattern, kind in _NUMBERS.items():
        if len(values) and pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return column.cast(kind)
    return column


def seconds(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column of seconds as float64.

    Raises:
        InputError: It holds anything but numbers; names the first and its row.
    """
    try:
        return column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if not pa.types.is_string(column.type):
            kind = shortened(str(column.type))
            raise InputError(f"{path}: column '{name}' holds {kind}; seconds were expected") from error
        row, value = next((row, value) for row, value in enumerate(column.to_pylist(), 1) if not _is_number(value))
        raise InputError(
            f"{path}: column '{name}' has '{shortened(value)}' in row {row}; seconds were expected"
        ) from error


def _is_number(value: str | None) -> bool:
    try:
        return value is None or pa.scalar(value).cast(pa.float64()) is not None
    except pa.ArrowInvalid:
        return False
