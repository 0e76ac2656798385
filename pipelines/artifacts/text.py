"""Columns as text that says what the file says, or a refusal."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import InputError

_STRING = pa.string()
# From here on a float can't tell neighbouring whole numbers apart.
_INEXACT = {pa.float64(): 2**53, pa.float32(): 2**24, pa.float16(): 2**11}


def text_column(
    column: pa.ChunkedArray, name: str, path: Path, *, is_id: bool = False, target: pa.DataType = _STRING
) -> pa.ChunkedArray:
    """A column as strings; floats that are whole numbers, as pandas makes of ids beside nulls, are written as such.

    Args:
        column: The column.
        name: Its name, for messages.
        path: The file it comes from.
        is_id: Whether its values are names, so that a float with a fraction is a mistake.
        target: ``string``, or ``large_string`` for what may be more than 2 GiB.

    Raises:
        InputError: It is of a type that can't be text, holds bytes that aren't UTF-8, or floats that once were whole
            numbers too large for a float, or that are no names.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = _whole_numbers(column, name, path, is_id)
    try:
        column = pc.cast(column, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        kind = str(column.type)[:60]
        raise InputError(f"{path}: column '{name}' is {kind}, can't be read as {_STRING}") from error
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        values = column.cast(pa.large_binary()).to_pylist()
        row = next(row for row, value in enumerate(values, start=1) if _is_broken(value))
        raise InputError(
            f"{path}: column '{name}' has text that isn't UTF-8 in row {row}; write the file again with text in UTF-8"
        ) from error
    return column


def _whole_numbers(column: pa.ChunkedArray, name: str, path: Path, is_id: bool) -> pa.ChunkedArray:
    """Floats as int64 where all are whole, as they are where some are not; null where they are not a number."""
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    values = pc.fill_null(column, 0).to_numpy().astype(np.float64)
    large = np.flatnonzero(np.isfinite(values) & (np.abs(values) >= _INEXACT[column.type]))
    if len(large):
        row = int(large[0])
        raise InputError(
            f"{path}: column '{name}' holds whole numbers as floats, too large to be exact (row {row + 1}: "
            f"{values[row]:.0f}); write it as integers or text"
        )
    fractions = np.flatnonzero((values != np.floor(values)) | np.isinf(values))
    if len(fractions) and is_id:
        row = int(fractions[0])
        raise InputError(
            f"{path}: column '{name}' holds ids, but has {values[row]:g} in row {row + 1}; write integers or text"
        )
    return column if len(fractions) else column.cast(pa.int64())


def _is_broken(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode("utf-8") is None
    except UnicodeDecodeError:
        return True
