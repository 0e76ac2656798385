"""What ``embed`` has made so far, on disk, so that a run that was stopped or killed goes on from there."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import StagePlan
from pipelines.artifacts.files import read_json, write_json
from pipelines.artifacts.writers import target_of, writing
from pipelines.errors import InputError, Interrupted
from pipelines.remote import fetch, push, remove_folder
from pipelines.remote.growing import Growing, is_piece

_ABOUT, _VECTORS, _JOURNAL = "about.json", "vectors.bin", "journal.jsonl"
_SECONDS_BETWEEN_SYNCS = 5.0
_SECONDS_BETWEEN_PUTS = 30.0  # of parts of a remote output


class Parts:
    """Vectors in the order in which they are made, in a folder beside the output until that is whole.

    A part is the vectors of some batches. It counts once its line is in the journal and its bytes have the digest that
    the line says: what a kill, or a power cut, left of a part is cut off. Parts are synced every few seconds.

    Args:
        folder: The folder.
        dtype: Type of the stored vectors.
        dimension: Their size.
    """

    def __init__(self, folder: Path, dtype: "np.dtype[np.floating]", dimension: int) -> None:
        self.folder = folder
        self.rows = 0  # of all parts
        self.dtype = dtype
        self._dimension = dimension
        # The vectors before the lines that vouch for them.
        self._remote = [Growing(folder / name) for name in (_VECTORS, _JOURNAL)]
        self._vectors: BinaryIO = (folder / _VECTORS).open("a+b")
        self._journal: BinaryIO = (folder / _JOURNAL).open("a+b")
        self._pending: list[bytes] = []
        self.found = self._found()  # parts of an earlier run: rows and note of each
        self._synced = self._put = time.monotonic()

    def append(self, vectors_nd: NDArray[np.floating], **note: Any) -> None:
        """Add a part ``(n, d)``; ``note`` is what has to be known of it beside the vectors, as JSON holds it."""
        data = np.ascontiguousarray(vectors_nd, dtype=self.dtype).tobytes()
        self._vectors.write(data)
        line = {"rows": len(vectors_nd), "digest": _digest(data), **note}
        self._pending.append(json.dumps(line).encode() + b"\n")
        self.rows += len(vectors_nd)
        if time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
            self.sync()

    def read(self) -> NDArray[np.floating]:
        """All vectors ``(n, d)``, mapped."""
        self._vectors.flush()
        shape = self.rows, self._dimension
        if not self.rows:
            return np.empty(shape, dtype=self.dtype)  # an empty file can't be mapped
        return np.memmap(self.folder / _VECTORS, dtype=self.dtype, mode="r", shape=shape)

    def sync(self) -> None:
        """Make sure that all parts are on the disk: the vectors before the lines that vouch for them."""
        if self._pending:
            _sync(self._vectors)
            self._journal.write(b"".join(self._pending))
            _sync(self._journal)
            self._pending = []
        self._synced = time.monotonic()
        if self._synced - self._put > _SECONDS_BETWEEN_PUTS:
            self.put()

    def put(self) -> None:
        """Put what was synced, where the output is remote."""
        for growing in self._remote:
            growing.put()
        self._put = time.monotonic()

    def close(self) -> None:
        """Close the files."""
        self._vectors.close()
        self._journal.close()

    def _found(self) -> list[dict[str, Any]]:
        """The parts that are whole; what lies behind them is cut off."""
        found: list[dict[str, Any]] = []
        lines = size = 0
        self._vectors.seek(0)
        self._journal.seek(0)
        for line in self._journal.read().splitlines(keepends=True):
            try:
                part = json.loads(line)
                data = self._vectors.read(part["rows"] * self._dimension * self.dtype.itemsize)
                whole = line.endswith(b"\n") and _digest(data) == part["digest"]
            except (ValueError, TypeError, KeyError):
                break
            if not whole:
                break
            found.append(part)
            lines, size = lines + len(line), size + len(data)
            self.rows += part["rows"]
        self._journal.truncate(lines)
        self._vectors.truncate(size)
        return found


@contextlib.contextmanager
def parts_of(plan: StagePlan, dtype: str, dimension: int, *, force: bool, **settings: Any) -> Iterator[Parts]:
    """The parts of an output, which are removed when the work inside has succeeded and kept when it has not.

    Args:
        plan: The stage's plan, of the `sole_writer` of its output.
        dtype: Type of the stored vectors.
        dimension: Their size.
        force: Begin anew, whatever is there.
        **settings: What changes vectors by rounding, beside what the plan knows: parts of other settings, inputs or
            library versions are not gone on with.

    Raises:
        InputError: The disk is full, or the folder is something else's.
        Interrupted: The work was asked to stop.
    """
    folder = fetch(parts_folder(plan.output))
    libraries = plan.provenance().libraries
    about = {"fingerprint": plan.fingerprint, "libraries": libraries, "dimension": dimension, **settings}
    with writing(plan.output):
        if folder.exists() and (force or not _is_of(folder, about)):
            remove_parts(plan.output)
        rows = 0
        try:
            folder.mkdir(exist_ok=True)
            write_json(folder / _ABOUT, about)
            with contextlib.closing(Parts(folder, np.dtype(dtype), dimension)) as parts:
                try:
                    yield parts
                except BaseException:
                    rows = parts.rows
                    parts.sync()
                    parts.put()
                    raise
        except BaseException as error:
            if not rows:
                remove_parts(plan.output)
            elif isinstance(error, KeyboardInterrupt):
                raise Interrupted(
                    f"stopped after {rows:,} vectors, which are kept in {folder}; go on with the same command"
                ) from error
            raise
        remove_parts(plan.output)


def disk_of(output: Path, vectors: int, rows: int, dimension: int, dtype: str) -> int:
    """Bytes of disk that parts of so many vectors, and an output of so many rows, are going to take at one time.

    Vectors of an earlier run are there already.
    """
    made = parts_folder(output) / _VECTORS
    total = (vectors + rows) * dimension * np.dtype(dtype).itemsize
    return max(0, total - (made.stat().st_size if made.is_file() else 0))


def remove_parts(output: Path) -> None:
    """Remove the parts of an output, where there are some.

    Raises:
        InputError: The folder holds something else.
    """
    folder = fetch(parts_folder(output))
    if not folder.is_dir():
        return
    ours = (_ABOUT, _VECTORS, _JOURNAL)
    names = [each.name for each in folder.iterdir() if not each.name.startswith(".")]
    if others := [name for name in names if name not in ours and not is_piece(name, ours)]:
        raise InputError(f"{folder}: holds {others[0]}, which is not mmts's; move it, or choose another output path")
    remove_folder(folder, ignore_errors=True)  # what stays is told apart, or removed, by the next run
    push(folder)


def parts_folder(output: Path) -> Path:
    """Where the parts of an output lie."""
    target = target_of(output)
    return target.with_name(f"{target.name}.parts")


def _is_of(folder: Path, about: dict[str, Any]) -> bool:
    try:
        return bool(read_json(folder / _ABOUT) == about)
    except InputError:
        return False


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
