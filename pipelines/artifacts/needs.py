"""What memory and disk a stage is going to need, from the footers of its files."""

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.artifacts import matrix
from pipelines.artifacts.ids import ID_COLUMNS
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.vectors import is_half
from pipelines.errors import InputError
from pipelines.remote import RemotePath, cache_folder

_WORTH_SAYING = 2**30
_SHARED_MEMORY = Path("/dev/shm")
_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else math.inf


@dataclass(frozen=True)
class Extent:
    """How much a file of vectors, or of anything with ids, holds.

    Attributes:
        rows: Rows.
        dimension: Length of a vector; 0 where there are none.
        itemsize: Bytes of an element of a vector, as it is stored.
        id_bytes: Bytes of all ids.
        text_bytes: Bytes of all texts; fewer where texts are repeated, which the file may hold once.
    """

    rows: int
    dimension: int
    itemsize: int
    id_bytes: int
    text_bytes: int = 0

    @property
    def vector_bytes(self) -> int:
        """Bytes of all vectors as float32."""
        return 4 * self.rows * self.dimension

    @property
    def memory(self) -> int:
        """Bytes that `read_vectors` holds with a folder for what is large: the vectors, or a window of them."""
        return self.vector_bytes if self.is_small else matrix.RESIDENT_BYTES

    @property
    def copies(self) -> int:
        """Bytes of memory where the vectors are also put in another order: twice what is in memory, see `take`."""
        return self.memory * 2 if self.is_small else self.memory

    @property
    def disk(self) -> int:
        """Bytes that `read_vectors` writes to that folder."""
        return 0 if self.is_small else self.itemsize * self.rows * self.dimension

    @property
    def is_small(self) -> bool:
        """Whether the vectors are held in memory."""
        return self.vector_bytes <= matrix.IN_MEMORY_BYTES


def extent_of(path: Path, column: str = "embedding") -> Extent:
    """Read from the footer, or the footers, how much there is.

    Raises:
        InputError: A file can't be read.
    """
    values = id_bytes = text_bytes = 0
    with open_parquet(path) as file:
        for group in file.row_groups():
            for number in range(group.num_columns):
                chunk = group.column(number)
                name = chunk.path_in_schema.split(".")[0]
                values += chunk.num_values if name == column else 0
                id_bytes += chunk.total_uncompressed_size if name in ID_COLUMNS else 0
                text_bytes += chunk.total_uncompressed_size if name == "text" else 0
        half = column in file.schema_arrow.names and is_half(file.schema_arrow.field(column).type)
        dimension = round(values / max(1, file.num_rows))
        return Extent(file.num_rows, dimension, 2 if half else 4, id_bytes, text_bytes)


@dataclass(frozen=True)
class Need:
    """What a stage is going to need.

    Attributes:
        memory: Bytes, at the most that are held at one time.
        disk: Bytes that it writes beside its output, or as its output.
        advice: What takes less memory, for where the machine has less.
        shared: Bytes of the memory that are shared with processes that decode, in ``/dev/shm``.
        processes: How many of this machine need the memory each.
    """

    memory: float
    disk: int = 0
    advice: str = ""
    shared: float = 0
    processes: int = 1

    def of(self, processes: int) -> "Need":
        """That of several processes."""
        return replace(self, **{name: processes * getattr(self, name) for name in ("memory", "disk", "shared")})


def announce(tell: Callable[[str], None], need: Need, folder: Path) -> None:
    """Say what a stage is going to need, where that is more than a gibibyte, or than there is of shared memory.

    Args:
        tell: Takes the line.
        need: What it needs.
        folder: Where it writes.

    Raises:
        InputError: The disk has less room.
    """
    folder = cache_folder() if isinstance(folder, RemotePath) else folder  # which is where it is written first
    if need.disk and need.disk > (free := shutil.disk_usage(folder).free):
        raise InputError(
            f"{folder}: {_size(need.disk)} of disk are needed there, and {_size(free)} are free; make room, or choose "
            "another output path"
        )
    if max(need.memory, need.disk) > _WORTH_SAYING:
        written = f" and {_size(need.disk)} of disk in {folder}" if need.disk else ""
        advice = f", {need.advice}" if need.advice else ""
        beyond = f"; this machine has {_size(_MEMORY)}{advice}" if need.processes * need.memory > _MEMORY else ""
        each = f" in each of {need.processes} processes" if need.processes > 1 else ""
        shared = f" ({_size(need.shared)} of it in {_SHARED_MEMORY})" if need.shared > _WORTH_SAYING / 10 else ""
        tell(f"needs about {_size(need.memory)} of memory{shared}{each}{written}{beyond}")
    if need.shared and _SHARED_MEMORY.is_dir():
        room, wanted = shutil.disk_usage(_SHARED_MEMORY).free, need.processes * need.shared
        if wanted > room:
            tell(
                f"{_SHARED_MEMORY} has {room / 2**20:,.0f} MiB of the {wanted / 2**20:,.0f} MiB that decoded media "
                "need; give a container more (--shm-size), or use a smaller --batch-size or --workers 0"
            )


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
