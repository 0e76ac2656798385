"""What is checked of users' data, and what becomes of a part of it."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations.left_out import LeftOut
from pipelines.artifacts import first_few, shortened
from pipelines.errors import InputError

TEXT_OR_NULL = (str, type(None))  # what `member` may find where a caption stands; a blank one is left to `is_blank`
_SHOWN = 3
_LONGEST_S = 10_000_000  # 116 days: beyond it times are frames, milliseconds or dates
# Columns of a table that is being checked: the file that a row comes from, its number there from 1, and what the medium
# that it holds as bytes is called.
SOURCE, ROW, MEDIA = "\0source", "\0row", "\0media"


@dataclass(frozen=True)
class Checks:
    """Decides whether data that are not whole or not usable are an error, or left out with a warning.

    Attributes:
        allow_partial: Go on with what is there.
        notes: What a user should be warned of in the end, if nothing is an error.
        left_out: What is left out.
    """

    allow_partial: bool
    notes: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def incomplete(self, message: str, partial: str = "continues with what is there") -> None:
        """Report that a part is missing.

        Args:
            message: What is missing and where.
            partial: What allowing a part does.

        Raises:
            InputError: A part is not allowed.
        """
        if not self.allow_partial:
            raise InputError(f"{message}; --allow-partial {partial}")
        self.notes.append(message)

    def keep(
        self, table: pa.Table, wrong: pa.ChunkedArray, path: Path, what: str, remedy: str = "", always: bool = False
    ) -> pa.Table:
        """The rows that aren't wrong.

        Args:
            table: Rows with ``sample_id`` or ``media_id``, and, where they are known, ``SOURCE`` and ``ROW``: the file
                that each comes from and its row there.
            wrong: Of each row, whether it is wrong; null is not.
            path: Where they came from, for the message.
            what: What is wrong, after the number of rows.
            remedy: What else can be done.
            always: Leave them out even where a part is not allowed.

        Raises:
            InputError: Rows are wrong, and a part is not allowed; says how many and which first.
        """
        wrong = pc.fill_null(wrong, False)
        out = table.filter(wrong)
        if not out.num_rows:
            return table
        key = next((name for name in ("sample_id", "media_id") if name in table.column_names), None)
        ids = ["" if name is None else name for name in out.column(key).to_pylist()] if key else [""] * out.num_rows
        known = ROW in table.column_names
        rows = out.column(ROW).to_pylist() if known else [None] * out.num_rows
        sources = out.column(SOURCE).to_pylist() if known else [path.name] * out.num_rows
        shown = [f"row {row} ({shortened(i)})" if i else f"row {row}" for row, i in zip(rows, ids, strict=True)]
        first = ", ".join(shown[:_SHOWN]) if known else first_few(ids)
        message = f"{path}: {out.num_rows:,} {what}, first: {first}{remedy}"
        if always:
            self.notes.append(message)
        else:
            self.incomplete(message, "leaves them out")
        self.left_out.extend(LeftOut(*entry, what) for entry in zip(sources, rows, ids, strict=True))
        return table.filter(pc.invert(wrong))

    def warn(self) -> None:
        """Give the notes as warnings."""
        for note in self.notes:
            warnings.warn(note, stacklevel=3)

    def count(self, path: Path, found: int, published: int, what: str) -> None:
        """Compare a number with the published one.

        Raises:
            InputError: They differ, and a part is not allowed; or there are more than were published.
        """
        if found == published:
            return
        counted = f"{path}: {found:,} {what}, {published:,} were published"
        if found > published:
            raise InputError(f"{counted}: {found - published:,} too many; download the published file again")
        self.incomplete(f"{counted}: {published - found:,} are missing; get the whole file")


def possible_times(table: pa.Table, path: Path, checks: Checks, *, published: bool = False) -> pa.Table:
    """The samples whose clips have possible times.

    Args:
        table: Has ``sample_id`` and may have, in seconds, ``start_s`` and ``end_s``.
        path: Where it came from.
        checks: Whether other clips may be left out.
        published: Whether it is a published file, where no time may be missing.

    Raises:
        InputError: Times are out of range, and a part is not allowed.
    """
    remedy = "; download the published file again" if published else ""
    times = [name for name in ("start_s", "end_s") if name in table.column_names]
    for name in times:
        if published:
            table = checks.keep(
                table, pc.is_null(table.column(name)), path, "clips have no start or end", remedy=remedy
            )
        # Absent times compare as null, which is not wrong.
        wrong = pc.invert(pc.less_equal(pc.abs(table.column(name)), _LONGEST_S))
        what = f"clips have a value of {name} that is no number up to {_LONGEST_S:,} s"
        table = checks.keep(table, wrong, path, what, remedy=remedy)
    if len(times) == 2:
        wrong = pc.less(table.column("end_s"), table.column("start_s"))
        table = checks.keep(table, wrong, path, "clips end before they start", remedy=remedy)
    return table


def is_blank(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which texts are null or hold nothing but white space."""
    return pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)


def member(value: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A member of a JSON object, of the type it should have.

    Args:
        value: The JSON object.
        key: Name of the member.
        kind: Type, or types, of the member.
        where: What the object is, file first, for the message.

    Raises:
        InputError: ``value`` is not an object, or the member is missing or of another type.
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
