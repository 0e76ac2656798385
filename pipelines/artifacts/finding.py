"""Finding media by name among the files of a folder or archive, however people have packed them."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.ids import shortened
from pipelines.artifacts.listing import plain
from pipelines.errors import InputError

_Key = Callable[[PurePosixPath], str]


def find_files(
    wanted: Sequence[Sequence[str]],
    names: Sequence[str],
    suffixes: tuple[str, ...],
    where: str,
    *,
    stems: Sequence[Sequence[str]] | None = None,
    archives: Sequence[str] = (),
) -> NDArray[np.int64]:
    """Where in a list of file names each medium stands; -1 where it isn't there.

    A name of a medium is taken for, in this order,

    1. the file's path;
    2. the end of it, so that a folder on top doesn't matter, nor the case of the suffix;
    3. the same without the file's suffix;
    4. the same up to the first dot of the file's name, which is webdataset's key.

    Decomposed letters and backslashes are taken for what they mean.

    Args:
        wanted: Names that each of n media may have, the likeliest first.
        names: Paths in a folder, or members of an archive or of several.
        suffixes: What the files of such media end in, for names without suffix.
        where: The folder or archive, for messages.
        stems: Names that each medium may have without a suffix, where these differ.
        archives: The archive of each name, where there are several, for messages.

    Returns:
        (n,) places in ``names``.

    Raises:
        InputError: Two files have the name of a medium; names both.
    """
    as_files = [[plain(name) for name in each] for each in wanted]
    as_stems = as_files if stems is None else [[plain(name) for name in each] for each in stems]
    rows = np.full(len(wanted), -1, dtype=np.int64)
    paths = [PurePosixPath(plain(name)) for name in names]
    for key in (str, _low, _stem, _first_part):
        lost = np.flatnonzero(rows < 0)
        if not len(lost):
            break
        of_kind = key in (_stem, _first_part)
        index = _Index(paths, key, suffixes if of_kind else None)
        for row in lost:
            for name in (as_stems if of_kind else as_files)[row]:
                found = index.find(_low(PurePosixPath(name)) if key is _low else name, tails=key is not str)
                if len(found) > 1:
                    inside = [archives[place] for place in found] if archives else []
                    _refuse_two(name, [names[place] for place in found], inside, where)
                if found:
                    rows[row] = found[0]
                    break
    return rows


class _Index:
    """Places of files by what a key makes of their paths.

    Args:
        paths: The files.
        key: Makes the name that is looked up, folders included, of a path.
        suffixes: Take only files that end in these; None for all.
    """

    def __init__(self, paths: Sequence[PurePosixPath], key: _Key, suffixes: tuple[str, ...] | None) -> None:
        self._keys: dict[int, str] = {}
        self._places: dict[str, list[int]] = {}
        for place, path in enumerate(paths):
            if suffixes is None or path.suffix.lower() in suffixes:
                self._keys[place] = key(path)
                self._places.setdefault(PurePosixPath(self._keys[place]).name, []).append(place)

    def find(self, name: str, *, tails: bool) -> list[int]:
        """Places of the files of that very name and, with ``tails``, of those whose paths end with it."""
        return [
            place
            for place in self._places.get(PurePosixPath(name).name, [])
            if self._keys[place] == name or (tails and self._keys[place].endswith(f"/{name}"))
        ]


def _low(path: PurePosixPath) -> str:
    return str(path)[: len(str(path)) - len(path.suffix)] + path.suffix.lower()


def _stem(path: PurePosixPath) -> str:
    return str(path.with_suffix(""))


def _first_part(path: PurePosixPath) -> str:
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def _refuse_two(name: str, found: list[str], archives: list[str], where: str) -> None:
    remedy = "leave one of them" if found[0] == found[1] else "leave one of them, or name one by its path"
    if archives and archives[0] != archives[1]:
        found = [f"{each} of {PurePosixPath(archive).name}" for each, archive in zip(found, archives, strict=True)]
    raise InputError(
        f"{where}: two media have the name {shortened(name)}: {shortened(found[0])} and {shortened(found[1])}; {remedy}"
    )
