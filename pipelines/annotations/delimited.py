"""CSV and its kin: the dialect is found by trying, and no reading is taken in which a row differs from the header."""

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.annotations.columns import require_distinct
from pipelines.annotations.text_files import encoding_of, read_lines
from pipelines.artifacts.ids import shortened
from pipelines.errors import InputError

SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
_NAME_OF = {separator: name for name, separator in SEPARATORS.items()}
_CHUNK_ROWS = 50_000
_LONGEST_CELL = 2**24
csv.field_size_limit(_LONGEST_CELL)  # of the csv module as a whole, which stops at 131,072 characters by itself


@dataclass(frozen=True)
class Dialect:
    """What a user says of a text file; None where it is to be found out.

    Attributes:
        separator: The character between cells, or its name: comma, tab, semicolon, pipe.
        quote: The character around cells that hold separators or line breaks, or ``none`` where quotes are text.
        encoding: As Python names it.

    Raises:
        InputError: A separator or quote is not one character.
    """

    separator: str | None = None
    quote: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Check the characters."""
        for flag, value, names in (("--separator", self.separator, SEPARATORS), ("--quote", self.quote, ("none",))):
            if value is not None and value not in names and (len(value) != 1 or value in "\r\n\0"):
                raise InputError(f"{flag} {shortened(value)!r}: one character was expected, or {' or '.join(names)}")

    @property
    def is_given(self) -> bool:
        """Whether anything is said."""
        return self != Dialect()


AS_FOUND = Dialect()


@dataclass(frozen=True)
class _Quoting:
    """One way of reading quotes.

    Attributes:
        quote: The character; None where quotes are text.
        escape: What stands before a quote in a quoted cell; None where it is doubled.
        certain: Whether the user says so, and not we.
    """

    quote: str | None
    escape: str | None = None
    certain: bool = False

    def arguments(self, separator: str) -> dict[str, Any]:
        """As the csv module takes them."""
        if self.quote is None:
            return {"delimiter": separator, "quoting": csv.QUOTE_NONE, "strict": True}
        # Without doublequote the csv module lets text follow a closing quote, even if strict.
        return {"delimiter": separator, "quotechar": self.quote, "escapechar": self.escape, "strict": True}


_DOUBLED = _Quoting('"')


class _NotReadSoError(Exception):
    """A file can't be read in some dialect; says at which line."""


def read_delimited(path: Path, given: Dialect, wanted: Sequence[str], separator: str) -> pa.Table:
    """Read a text file of cells, all as strings; empty cells are null.

    Quotes are read as RFC 4180 has them (doubled inside), else escaped by backslashes, else as text: the first way in
    which every row has as many cells as the header. Anything but the first is said.

    Args:
        path: The file.
        given: What the user says of it.
        wanted: Columns that are expected, by which the separator is known.
        separator: The separator where nothing speaks against it.

    Raises:
        InputError: It can't be read in any dialect, or not without doubt; says at which line.
    """
    encoding = encoding_of(path, given.encoding)
    if given.separator is not None:
        separator = SEPARATORS.get(given.separator, given.separator)
    else:
        separator = _find_separator(path, encoding, wanted, separator)
    if given.quote is not None:
        quotings = [_Quoting(None if given.quote == "none" else given.quote, certain=True)]
    else:
        quotings = [_DOUBLED, _Quoting('"', escape="\\"), _Quoting(None)]
    faults = []
    for quoting in quotings:
        try:
            table = _read(path, encoding, separator, quoting)
        except _NotReadSoError as fault:
            faults.append(str(fault))
            continue
        if quoting.escape:
            warnings.warn(f"{path}: read with quotes escaped by backslashes", stacklevel=2)
        elif quoting.quote is None and not quoting.certain:
            warnings.warn(f"{path}: read with quotes as text, since one is not closed ({faults[0]})", stacklevel=2)
        return table
    name = _NAME_OF.get(separator, repr(separator))
    raise InputError(f"{path}: {faults[0]} (separator: {name}); correct it, or give --separator or --quote")


def _find_separator(path: Path, encoding: str, wanted: Sequence[str], usual: str) -> str:
    """The usual separator unless another one gives the header the columns wanted, or any columns at all."""
    first = next((line for line in read_lines(path, encoding) if line.strip()), "")
    headers = {}
    for separator in dict.fromkeys([usual, *SEPARATORS.values()]):
        headers[separator] = [name.strip().strip('"') for name in first.split(separator)]
        if set(wanted) <= set(headers[separator]):
            break
    else:
        separator = usual if len(headers[usual]) > 1 else max(headers, key=lambda mark: len(headers[mark]))
    if separator != usual:
        warnings.warn(f"{path}: read with cells separated by {_NAME_OF[separator]}", stacklevel=3)
    return separator


class _Lines:
    """Hands lines to the csv module and remembers those of the row it is reading."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.of_row: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.of_row.append(line)
        return line


def _rows(path: Path, encoding: str, separator: str, quoting: _Quoting) -> Iterator[tuple[int, list[str]]]:
    """Rows that aren't blank, the header first, each with the number of its first line.

    Raises:
        _NotReadSoError: The file is not of this dialect.
    """
    lines = _Lines(read_lines(path, encoding))
    reader = csv.reader(lines, **quoting.arguments(separator))
    number, fields = 1, 0
    while True:
        lines.of_row = []
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = "a quote opens a cell and does not close it" if quoting.quote else str(error)
            if "field limit" in str(error):
                reason = f"a cell is longer than {_LONGEST_CELL:,} characters"
            raise _NotReadSoError(f"line {number}: {reason}") from error
        if row and fields and len(row) != fields:
            cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
            raise _NotReadSoError(f"line {number} has {cells}, the header {fields}")
        if not quoting.certain and (len(lines.of_row) > 1 or quoting != _DOUBLED):
            _refuse_doubtful(path, number, lines.of_row, row, separator, quoting)
        if row:
            fields = fields or len(row)
            yield number, row
        number += len(lines.of_row)


def _refuse_doubtful(
    path: Path, number: int, lines: list[str], row: list[str], separator: str, quoting: _Quoting
) -> None:
    """Refuse a reading that may be another's, of which users should decide.

    Raises:
        InputError: Lines that look like rows are one row by their quotes.
        _NotReadSoError: Backslashes that escape no quotes, or quotes around cells where quotes are to be text.
    """
    if quoting.quote is None:
        if any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in map(str.strip, row)):
            raise _NotReadSoError(f"line {number} has a cell in quotes")
    elif quoting.escape and any("\\" in re.sub(r'\\["\\]', "", line) for line in lines):
        raise _NotReadSoError(f"line {number} has a backslash before no quote")
    elif len(lines) > 1 and row:
        # Prose has blanks after its commas, separators have none; blank lines are no rows.
        cells = [len(re.split(re.escape(separator) + r"(?! )", line)) for line in lines if line.strip()]
        if all(count == len(row) for count in cells):
            raise InputError(
                f"{path}: lines {number} to {number + len(lines) - 1} are one row by their quotes, and a row each "
                "without: say which with --quote '\"' or --quote none"
            )


def _read(path: Path, encoding: str, separator: str, quoting: _Quoting) -> pa.Table:
    rows = _rows(path, encoding, separator, quoting)
    _, header = next(rows, (0, []))
    chunks: list[list[pa.Array]] = [[] for _ in header]
    pending: list[list[str]] = []

    def flush() -> None:
        for cells, column in zip(zip(*pending, strict=True), chunks, strict=False):
            column.append(pa.array([cell or None for cell in cells], pa.string()))
        pending.clear()

    for _, row in rows:
        pending.append(row)
        if len(pending) == _CHUNK_ROWS:
            flush()
    flush()
    columns = [pa.chunked_array(column, pa.string()) for column in chunks]
    names = [name.strip() for name in header]
    # A separator at the end of each line makes a column without name and content.
    kept = [place for place, name in enumerate(names) if name or columns[place].null_count < len(columns[place])]
    names = [names[place] or f"column_{place + 1}" for place in kept]
    require_distinct(names, path)
    return pa.table([columns[place] for place in kept], names=names)
