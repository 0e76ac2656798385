"""What memory and disk a stage is going to need, from the footers of its files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import matrix
from pipelines.artifacts.ids import ID_COLUMNS
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.vectors import is_half
from pipelines.errors import InputError
from pipelines.progress import Progress
from pipelines.remote import RemotePath, cache_folder

_WORTH_SAYING = 2**30


@dataclass(frozen=True)
class Extent:
    """How much a file of vectors, or of anything with ids, holds.

    Attributes:
        rows: Rows.
        dimension: Length of a vector; 0 where there are none.
        itemsize: Bytes of an element of a vector, as it is stored.
        id_bytes: Bytes of all ids.
    """

    rows: int
    dimension: int
    itemsize: int
    id_bytes: int

    @property
    def vector_bytes(self) -> int:
        """Bytes of all vectors as float32."""
        return 4 * self.rows * self.dimension

    @property
    def memory(self) -> int:
        """Bytes that `read_vectors` holds with a folder for what is large: the vectors, or a window of them."""
        return self.vector_bytes if self.is_small else matrix.RESIDENT_BYTES

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
    values = id_bytes = 0
    with open_parquet(path) as file:
        for group in file.row_groups():
            for number in range(group.num_columns):
                chunk = group.column(number)
                name = chunk.path_in_schema.split(".")[0]
                values += chunk.num_values if name == column else 0
                id_bytes += chunk.total_uncompressed_size if name in ID_COLUMNS else 0
        half = column in file.schema_arrow.names and is_half(file.schema_arrow.field(column).type)
        return Extent(file.num_rows, round(values / max(1, file.num_rows)), 2 if half else 4, id_bytes)


def announce(progress: Progress, *, memory: float, disk: int = 0, folder: Path) -> None:
    """Say what a stage is going to need, where that is more than a gibibyte.

    Args:
        progress: Takes the line.
        memory: Bytes, at the most that are held at one time.
        disk: Bytes that it writes beside its output, or as its output.
        folder: Where it writes.

    Raises:
        InputError: The disk has less room.
    """
    folder = cache_folder() if isinstance(folder, RemotePath) else folder  # which is where it is written first
    free = shutil.disk_usage(folder).free
    if disk > free:
        raise InputError(
            f"{folder}: {_size(disk)} of disk are needed there, and {_size(free)} are free; make room, or choose "
            "another output path"
        )
    if max(memory, disk) > _WORTH_SAYING:
        written = f" and {_size(disk)} of disk in {folder}" if disk else ""
        progress.note(f"needs about {_size(memory)} of memory{written}")


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
