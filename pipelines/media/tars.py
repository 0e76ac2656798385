"""Media as members of tars, in the layout of webdataset, without extracting them."""

import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError
from pipelines.media.blobs import find, refuse_missing
from pipelines.media.listing import MediaList

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_FILES = 1_000_000
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


def tar_members(path: Path) -> list[TarMember]:
    """Files in a tar, from its headers.

    Raises:
        InputError: It is missing, damaged or compressed.
    """
    require_file(path)
    try:
        with tarfile.open(path, "r:") as archive:
            return [(str(path), m.offset_data, m.size, m.name) for m in archive if m.isreg() and not m.issparse()]
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{path}: not a whole, uncompressed tar archive ({error})") from error


def open_tars(paths: Sequence[Path], where: str, media: MediaList, suffixes: tuple[str, ...]) -> TarBlobs:
    """Find media in tars as webdataset writes them: by member name, or by key, which is that without suffix.

    Raises:
        InputError: A tar is missing or damaged, media are missing there, or two members have a medium's name.
    """
    members = [member for path in paths for member in tar_members(path)]
    wanted = [member for member in members if member[3].lower().endswith(suffixes)] or members
    tars = {member[0] for member in wanted}
    places = find(media, [member[3] for member in wanted], suffixes, where if len(tars) > 1 else str(paths[0]))
    refuse_missing(where, media, np.flatnonzero(places < 0))
    return TarBlobs([wanted[place] for place in places])


def expand(path: Path) -> list[Path]:
    """The files of a pattern such as ``shards-{00000..00099}.tar``; the path itself where it is none.

    Raises:
        InputError: A range runs backwards or is larger than any data set.
    """
    match = _BRACES.search(str(path))
    if match is None:
        return [path]
    first, last = match.groups()
    count = int(last) - int(first) + 1
    if not 0 < count <= _MOST_FILES:
        raise InputError(f"{path}: {match.group()} names no files; give the lower number first")
    width = len(first) if first.startswith("0") or len(first) == len(last) else 0
    text = str(path)
    return [
        expanded
        for number in range(int(first), int(last) + 1)
        for expanded in expand(Path(f"{text[: match.start()]}{number:0{width}d}{text[match.end() :]}"))
    ]
