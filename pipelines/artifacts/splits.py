"""The names of splits: ``train``, ``val`` and ``test``, however a file spells them."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.artifacts.ids import shortened

_SYNONYMS = {
    "training": "train",
    "trn": "train",
    "validation": "val",
    "valid": "val",
    "dev": "val",
    "development": "val",
    "testing": "test",
    "tst": "test",
}


def canonical_split(name: str) -> str:
    """``train``, ``val`` or ``test`` for their usual spellings (``Train``, ``validation``, ``dev``), else the name.

    Examples:
        >>> [canonical_split(name) for name in ("TRAIN", "valid", "extra")]
        ['train', 'val', 'extra']
    """
    folded = name.strip().casefold()
    folded = _SYNONYMS.get(folded, folded)
    return folded if folded in ("train", "val", "test") else name


def canonical_names(names: Iterable[str]) -> dict[str, str]:
    """What each of a file's splits is read as, for those that change.

    Where a file has two kinds of one split, such as ``dev`` beside ``val``, they are kept apart: only the spelling that
    is the plain name but for case is changed.
    """
    names = list(names)
    kinds: dict[str, set[str]] = {}
    for name in names:
        kinds.setdefault(canonical_split(name), set()).add(name.strip().casefold())
    read_as = {}
    for name in names:
        split = canonical_split(name)
        if split != name and (len(kinds[split]) == 1 or name.strip().casefold() == split):
            read_as[name] = split
    return read_as


def plain_splits(column: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    """A column of splits with the usual spellings replaced by the plain names, and a warning that says which.

    Args:
        column: Strings; nulls stay.
        path: The file it comes from.
    """
    read_as = canonical_names(name for name in column.unique().to_pylist() if name is not None)
    if not read_as:
        return column
    said = ", ".join(f"'{shortened(name)}' as {split}" for name, split in read_as.items())
    warnings.warn(f"{path}: splits read by their plain names: {said}", stacklevel=3)
    number = pc.index_in(column, value_set=pa.array(list(read_as), pa.string()))
    return pc.coalesce(pa.array(list(read_as.values()), pa.string()).take(number), column)
