"""Strings by the million, which Python would hold as so many objects."""

from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

import pyarrow as pa

_BLOCK_ROWS = 8_192
_String = TypeVar("_String", bound=str | None, covariant=True)


class StringList(Sequence[_String]):
    """A column of strings as a sequence that can't be changed: each is made when it is asked for.

    It takes four or eight bytes a string beyond its characters; a list of Python strings takes about 60.

    Args:
        column: The strings.

    Attributes:
        column: The strings, for what works on whole columns.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __len__(self) -> int:
        """How many there are."""
        return len(self.column)

    @overload
    def __getitem__(self, row: int) -> _String: ...

    @overload
    def __getitem__(self, row: slice) -> "StringList[_String]": ...

    def __getitem__(self, row: int | slice) -> "_String | StringList[_String]":
        """One of them, or some."""
        found = self.column[row]
        if isinstance(row, slice):
            return StringList(found)
        string: _String = found.as_py()
        return string

    def __iter__(self) -> Iterator[_String]:
        """All of them, a block of Python strings at a time."""
        for start in range(0, len(self), _BLOCK_ROWS):
            yield from self.column.slice(start, _BLOCK_ROWS).to_pylist()

    def __eq__(self, other: object) -> bool:
        """Whether a sequence has the same strings."""
        return isinstance(other, Sequence) and list(self) == list(other)


def string_column(strings: Sequence[str]) -> pa.ChunkedArray:
    """Strings as a column; those of a `StringList` are not copied."""
    return strings.column if isinstance(strings, StringList) else pa.chunked_array([strings], pa.string())
