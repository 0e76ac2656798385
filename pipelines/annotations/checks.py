"""What is checked of a published data set, and what becomes of a part of one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import InputError

_SHOWN = 3


@dataclass(frozen=True)
class Checks:
    """Decides whether a data set that is not whole is an error or a warning.

    Attributes:
        allow_partial: Go on with what is there.
        notes: What a user should be warned of in the end, if nothing is an error.
    """

    allow_partial: bool
    notes: list[str] = field(default_factory=list)

    def incomplete(self, message: str) -> None:
        """Report that a part is missing.

        Raises:
            InputError: A part is not allowed.
        """
        if not self.allow_partial:
            raise InputError(f"{message}; --allow-partial continues without it")
        self.notes.append(message)

    def count(self, path: Path, found: int, published: int, what: str) -> None:
        """Compare a number with the published one.

        Raises:
            InputError: They differ, and a part is not allowed; or there are more than were published.
        """
        if found == published:
            return
        counted = f"{path}: {found:,} {what}, {published:,} were published"
        if found > published:
            raise InputError(f"{counted}: {found - published:,} too many; get the published file again")
        self.incomplete(f"{counted}: {published - found:,} are missing; get the whole file")


def named_first(names: Iterable[object]) -> str:
    """The first few of some names, each once, for a message."""
    return ", ".join(str(name) for name in list(dict.fromkeys(names))[:_SHOWN])


def require_times(table: pa.Table, path: Path) -> None:
    """Check that no clip ends before it starts.

    Args:
        table: Has ``sample_id`` and, in seconds, ``start_s`` and ``end_s``.
        path: Where it came from.

    Raises:
        InputError: Times are missing, or ends are before starts; says how many and whose first.
    """
    for name, wrong in (
        ("have no start or end", pc.or_(pc.is_null(table.column("start_s")), pc.is_null(table.column("end_s")))),
        ("end before they start", pc.less(table.column("end_s"), table.column("start_s"))),
    ):
        ids = table.column("sample_id").filter(wrong, null_selection_behavior="drop").to_pylist()
        if ids:
            raise InputError(
                f"{path}: {len(ids)} clips {name}, first: {named_first(ids)}; get the published file again"
            )


def require_texts(table: pa.Table, path: Path) -> None:
    """Check that every sample has a text.

    Raises:
        InputError: Texts are null or blank; says how many and whose first.
    """
    text = table.column("text")
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)
    ids = table.column("sample_id").filter(blank).to_pylist()
    if ids:
        raise InputError(f"{path}: {len(ids)} texts are empty, first: {named_first(ids)}; get the published file again")


def member(value: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A member of a JSON object, of the type it should have.

    Args:
        value: The JSON object.
        key: Name of the member.
        kind: Type, or types, of the member.
        where: What the object is, file first, for the message.

    Raises:
        InputError: ``value`` is no object, or the member is missing or of another type.
    """
    if not isinstance(value, dict) or key not in value:
        keys = f" (it has {', '.join(list(value)[:6])})" if isinstance(value, dict) else ""
        raise InputError(f"{where} has no '{key}'{keys}; the published layout was expected")
    found = value[key]
    if not isinstance(found, kind) or isinstance(found, bool):
        raise InputError(f"{where}: '{key}' is {type(found).__name__}; the published layout was expected")
    return found


def whole_numbers(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column of classes or frames as int32.

    Raises:
        InputError: A value is missing or no whole number; says which first and where.
    """
    try:
        if not column.null_count:
            return column.cast(pa.int32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    for row, value in enumerate(column.to_pylist(), start=1):
        if not _is_whole(value):
            shown = "nothing" if value is None else f"'{value}'"
            raise InputError(f"{path}: column '{name}' has {shown} in row {row}; whole numbers were expected")
    return pa.chunked_array([[int(value) for value in column.to_pylist()]], pa.int32())


def _is_whole(value: object) -> bool:
    try:
        return -(2**31) <= int(str(value)) < 2**31
    except ValueError:
        return False
