"""JSON lines, or one JSON array of objects, as a table; text and ids are spelled as the file has them."""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.annotations.text_files import encoding_of, read_lines
from pipelines.artifacts.ids import shortened
from pipelines.errors import InputError

_DEEPEST = 16  # Arrow and Parquet nest types, not values: deeper than this is no table
_BEGINS_JSON = re.compile(r'\s*(\{\s*("|$)|\[\s*(\{|$))')  # "[id],[text]" is a header of cells
_INT64 = range(-(2**63), 2**63)


class _Spelled(float):
    """A number as the file spells it."""

    def __new__(cls, spelling: str) -> "_Spelled":
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number

    spelling: str


def read_json_rows(path: Path, encoding: str | None, as_text: Sequence[str]) -> pa.Table:
    """Read objects, one a line or in one array, as rows; a key that an object lacks is null.

    Columns of text are strings, or lists of strings where a row has a list of them. Any other column has the type Arrow
    gives it; one of several types holds the values as JSON.

    Args:
        path: The file.
        encoding: Its encoding; by default what its byte order mark says, else UTF-8.
        as_text: Columns that are text.

    Raises:
        InputError: It is not JSON, not of that layout, or a value of a text column is an object; says at which row.
    """
    rows = list(_rows(path, encoding_of(path, encoding)))
    if len(rows) == 1:
        _refuse_columns(rows[0], path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        columns[name or "column"] = _text(values, name, path) if name in as_text else _typed(values, name, path)
    return pa.table(columns)


def holds_json(path: Path, encoding: str | None) -> bool:
    """Whether a text file begins as JSON objects do, one a line or in an array.

    Raises:
        InputError: It can't be read as text.
    """
    first = next((line for line in read_lines(path, encoding_of(path, encoding)) if line.strip()), "")
    return _BEGINS_JSON.match(first) is not None


def _rows(path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    numbered = enumerate(read_lines(path, encoding), start=1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    first = lines[0][1].lstrip() if lines else ""
    if first.startswith("["):
        try:
            values = _parse("".join(line for _, line in lines))
        except _NotJsonError as error:
            raise InputError(f"{path}: not a whole JSON array ({error}); get the file again") from error
        for row, value in enumerate(values, start=1):
            yield _object(value, path, f"element {row} of the array")
        return
    for number, line in lines:
        try:
            value = _parse(line)
        except _NotJsonError as error:
            if number == lines[0][0] and len(lines) > 1:
                _refuse_one_object("".join(line for _, line in lines), path)
            message = (
                f"{path}: line {number} is not a whole JSON object ({error}); one a line, or an array, was expected"
            )
            raise InputError(message) from error
        yield _object(value, path, f"line {number}")


class _NotJsonError(Exception):
    """Text that isn't JSON, or nested too deeply."""


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_Spelled, parse_constant=_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _NotJsonError(f"{error.msg} at character {error.pos + 1}") from error
    except ValueError as error:  # a key twice, or a whole number of thousands of digits
        raise _NotJsonError(str(error)[:80]) from error
    except RecursionError as error:
        raise _NotJsonError("nested too deeply") from error


def _constant(name: str) -> float | None:
    """NaN, as pandas writes a missing value, is null."""
    return None if name == "NaN" else _Spelled(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{shortened(next(name for name in names if names.count(name) > 1))}' occurs twice")
    return value


def _object(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f'{path}: {where} is {_kind(value)}; an object such as {{"caption": ...}} was expected')
    return value


def _refuse_one_object(text: str, path: Path) -> None:
    """Say how to go on from a file that is one object over several lines.

    Raises:
        InputError: It is one.
    """
    try:
        value = _parse(text)
    except _NotJsonError:
        return
    _refuse_columns(_object(value, path, "the file"), path)
    raise InputError(f"{path}: is one object over several lines; write it in one line, or in an array")


def _refuse_columns(value: dict[str, Any], path: Path) -> None:
    """Refuse one object that holds lists or objects only: a table by columns, or several tables.

    Raises:
        InputError: It is one; names what it holds.
    """
    if value and all(isinstance(member, (list, dict)) for member in value.values()):
        names = shortened(", ".join(value), 60)
        raise InputError(
            f"{path}: is one object of lists ({names}), not rows; write the list of rows alone, one object each "
            "(pandas: to_json with orient='records')"
        )


def _text(values: list[Any], name: str, path: Path) -> pa.Array:
    """Strings, or lists of strings where any value is a list."""
    spelled = [
        [_spelling(item, name, path, row) for item in value]
        if isinstance(value, list)
        else _spelling(value, name, path, row)
        for row, value in enumerate(values, start=1)
    ]
    if any(type(value) is int and value not in _INT64 for value in values):
        warnings.warn(f"{path}: column '{name}' has whole numbers beyond 64 bits; they are kept as text", stacklevel=4)
    if any(isinstance(value, list) for value in spelled):
        lists = [value if value is None or isinstance(value, list) else [value] for value in spelled]
        return pa.array(lists, pa.list_(pa.string()))
    return pa.array(spelled, pa.string())


def _spelling(value: Any, name: str, path: Path, row: int) -> str | None:
    if isinstance(value, (dict, list)):
        raise InputError(f"{path}: column '{shortened(name)}' has {_kind(value)} in row {row}; text was expected")
    if isinstance(value, _Spelled):
        return value.spelling
    text = value if value is None or isinstance(value, str) else json.dumps(value)
    if text is not None and not _is_unicode(text):
        raise InputError(f"{path}: column '{shortened(name)}' has half a character (\\ud...) in row {row}; remove it")
    return text


def _typed(values: list[Any], name: str, path: Path) -> pa.Array:
    """Values as Arrow types them, or as JSON where they are of several types."""
    try:
        column = pa.array(values)
        if _depth(column.type) <= _DEEPEST and not _has_empty_struct(column.type):
            return column
    except (pa.ArrowException, OverflowError, UnicodeError):
        pass
    warnings.warn(f"{path}: column '{shortened(name)}' can't be stored as one type; kept as JSON", stacklevel=4)
    return pa.array([None if value is None else _as_json(value) for value in values], pa.string())


def _as_json(value: Any) -> str:
    """Strings as they are, any other value as JSON."""
    if isinstance(value, str) and _is_unicode(value):
        return value
    return json.dumps(value, ensure_ascii=not _is_unicode(str(value)))


def _is_unicode(text: str) -> bool:
    """Whether text can be written: JSON may escape half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _depth(kind: pa.DataType) -> int:
    """How deeply lists and structs nest."""
    return 1 + max((_depth(kind.field(place).type) for place in range(kind.num_fields)), default=0)


def _has_empty_struct(kind: pa.DataType) -> bool:
    """Whether Parquet can't hold the type."""
    if pa.types.is_struct(kind) and not kind.num_fields:
        return True
    return any(_has_empty_struct(kind.field(place).type) for place in range(kind.num_fields))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
