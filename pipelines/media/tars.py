"""Media as members of tars, in the layout of webdataset, without extracting them."""

import os
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from pipelines.artifacts.ids import shortened
from pipelines.artifacts.listing import tar_members
from pipelines.errors import InputError
from pipelines.media.blobs import Blobs
from pipelines.media.chunked import open_places
from pipelines.media.finding import find_with_chunks, require_found
from pipelines.media.listing import MediaList
from pipelines.remote import as_path

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_FILES, _MOST_DIGITS = 1_000_000, 12
_TOO_MANY = f"more than {_MOST_FILES:,} files; give fewer, or a folder"
TarMember = tuple[str, int, int, str]


class TarBlobs:
    """Members of tars, read at their offsets; the tars are not extracted.

    Args:
        members: Tar, offset, size and name of each medium's member.
    """

    def __init__(self, members: Sequence[TarMember]) -> None:
        tars = list(dict.fromkeys(member[0] for member in members))
        number = {tar: n for n, tar in enumerate(tars)}
        self._tars = tars
        self._members = np.array([(number[tar], offset, size) for tar, offset, size, _ in members], dtype=np.int64)
        self._names = [name for _, _, _, name in members]

    def get(self, row: int) -> bytes:
        """The content of a medium's member.

        Raises:
            OSError, ValueError: It can't be read.
        """
        tar, offset, size = self._members[row].tolist()
        with open(self._tars[tar], "rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise ValueError("the tar ends within it")
        return data

    def where(self, row: int) -> str:
        """The tar."""
        return self._tars[int(self._members[row, 0])]

    def name(self, row: int) -> str:
        """The member."""
        return self._names[row]


def members_of(path: Path) -> list[TarMember]:
    """The files of a tar.

    Raises:
        InputError: It is missing, damaged or compressed.
    """
    return [(os.fspath(path), member.offset, member.size, member.name) for member in tar_members(path)]


def open_tars(paths: Sequence[Path], where: str, media: MediaList, suffixes: tuple[str, ...]) -> Blobs:
    """Find media in tars as webdataset writes them: by member name, or by key, see `find_with_chunks`.

    Raises:
        InputError: A tar is missing or damaged, media are missing there, or two members have the name of one.
    """
    members = [member for path in paths for member in members_of(path)]
    names = [member[3] for member in members]
    places = find_with_chunks(media, names, suffixes, where, [member[0] for member in members])
    found = require_found(where, media, places, (name for name in names if name.lower().endswith(suffixes)))
    return open_places(found, lambda files: TarBlobs([members[place] for place in files]))


def expand(path: Path) -> list[Path]:
    """The files of a pattern such as ``shards-{00000..00099}.tar``; the path itself where it is none.

    Raises:
        InputError: A range runs backwards, or all of them together name more files than any data set has.
    """
    ranges = list(_BRACES.finditer(str(path)))
    count = 1
    for match in ranges:
        first, last = match.groups()
        if len(last) > _MOST_DIGITS or (of_range := int(last) - int(first) + 1) > _MOST_FILES:
            raise InputError(f"{shortened(str(path), 100)}: {shortened(match.group())} names {_TOO_MANY}")
        if of_range < 1:
            raise InputError(f"{path}: {match.group()} names no files; give the lower number first")
        count *= of_range
        if count > _MOST_FILES:
            raise InputError(f"{shortened(str(path), 100)}: its {len(ranges)} ranges together name {_TOO_MANY}")
    between = _BRACES.split(str(path))[:: _BRACES.groups + 1]  # without what the groups matched
    parts = [[text] for text in between]
    for place, match in enumerate(ranges):
        parts.insert(2 * place + 1, _numbers(*match.groups()))
    return [as_path("".join(chosen)) for chosen in product(*parts)]


def _numbers(first: str, last: str) -> list[str]:
    width = len(first) if first.startswith("0") or len(first) == len(last) else 0
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
