"""Rows join on ids, never by position."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.errors import InputError

ID_COLUMNS = ("sample_id", "media_id")
_SHOWN = 3
_SEEN = 2
_SHOWN_CHARACTERS = 40


def first_few(names: Iterable[object], shown: int = _SHOWN) -> str:
    """The first few of some names, each once and no longer than a message can bear."""
    distinct = list(dict.fromkeys(str(name) for name in names))[:shown]
    return ", ".join(shortened(name) for name in distinct)


def shortened(name: str, characters: int = _SHOWN_CHARACTERS) -> str:
    """A name, cut where it is longer than a message can bear."""
    return name if len(name) <= characters else f"{name[: characters - 3]}..."


def missing_there(where: str, missing: Sequence[str], total: int, what: str, present: Iterable[object]) -> str:
    """What is said where some of the names looked for aren't there.

    Args:
        where: What was looked through.
        missing: The names that aren't there.
        total: How many were looked for.
        what: What they name.
        present: The names that are there; only the first are read.
    """
    seen = ", ".join(shortened(str(name)) for name in islice(present, _SEEN))
    count = f"{len(missing):,} of {total:,} {what} are missing there"
    return f"{where}: {count}, first: {first_few(missing, _SEEN)}; it holds {seen or f'no {what}'}"


def require_unique(ids: pa.ChunkedArray, name: str, path: Path) -> None:
    """Check that ids are present and occur once.

    Raises:
        InputError: An id is null or occurs more than once; says how many and which first.
    """
    if ids.null_count:
        raise InputError(f"{path}: {ids.null_count} rows have no {name}")
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(repeated):
        shown = first_few(repeated[:_SHOWN].to_pylist())
        raise InputError(f"{path}: {len(repeated)} values of {name} occur more than once, first: {shown}")


def align(wanted: pa.ChunkedArray, present: pa.ChunkedArray, *, what: str, path: Path) -> NDArray[np.int64]:
    """Where each wanted id stands among the present ones.

    Args:
        wanted: Ids to find, n of them.
        present: Ids of the file at ``path``, each once.
        what: What the wanted ids are, for the message.
        path: The file that should have them.

    Returns:
        (n,) positions in ``present``.

    Raises:
        InputError: Some are missing; says how many, which first, and what is there.
    """
    if isinstance(present, pa.ChunkedArray) and wanted.equals(present):  # as where one file was made of the other
        return np.arange(len(wanted))
    positions = pc.index_in(wanted, value_set=present)
    if positions.null_count:
        missing = wanted.filter(pc.is_null(positions))
        seen = (present[row].as_py() for row in range(len(present)))
        raise InputError(missing_there(str(path), missing.to_pylist(), len(wanted), what, seen))
    return np.asarray(positions.to_numpy(), dtype=np.int64)
