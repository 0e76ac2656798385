"""Files that grow: an object can't be appended to, so what a file grows by is put as objects of their own.

They are called as the file is, with where they begin: ``vectors.bin.000000000000000``.
"""

import shutil
from pathlib import Path

from pipelines.remote.copies import push, push_if_possible
from pipelines.remote.paths import RemotePath

_DIGITS = 15


class Growing:
    """A file of a folder that was fetched, put as it grows; nothing is done where the folder isn't remote.

    Where less of the file is here than its pieces hold, it is made of them.

    Args:
        path: The file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._put = 0  # bytes
        if isinstance(path, RemotePath):
            self._join(path)

    def put(self) -> None:
        """Put what the file has grown by; where that fails a warning says so, and the next call tries again."""
        if not isinstance(self._path, RemotePath):
            return
        size = self._path.stat().st_size
        if size < self._put:  # its end was cut off: what the pieces hold is not what it holds
            for piece in self._pieces(self._path):
                piece.unlink()
                push(piece)
            self._put = 0
        if size == self._put:
            return
        piece = self._path.with_name(f"{self._path.name}.{self._put:0{_DIGITS}d}")
        with self._path.open("rb") as whole, piece.open("wb") as part:
            whole.seek(self._put)
            shutil.copyfileobj(whole, part)
        if push_if_possible(piece):
            self._put += piece.stat().st_size

    def _join(self, path: RemotePath) -> None:
        pieces = self._pieces(path)
        for piece in pieces:
            if int(piece.name[-_DIGITS:]) != self._put:
                break  # one is missing
            self._put += piece.stat().st_size
        if self._put > (path.stat().st_size if path.exists() else 0):
            with path.open("wb") as whole:
                for piece in pieces:
                    with piece.open("rb") as part:
                        shutil.copyfileobj(part, whole)
                whole.truncate(self._put)

    @staticmethod
    def _pieces(path: RemotePath) -> list[RemotePath]:
        return sorted(path.parent.glob(f"{path.name}.{'[0-9]' * _DIGITS}"))


def is_piece(name: str, files: tuple[str, ...]) -> bool:
    """Whether a file is a piece of one of some files, by its name."""
    stem, _, end = name.rpartition(".")
    return stem in files and len(end) == _DIGITS and end.isdigit()
