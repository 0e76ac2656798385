"""Media as bytes in Parquet: img2dataset's ``jpg``, ``bytes``, or ``image`` as the library datasets writes it."""

import os
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts import open_parquet
from pipelines.artifacts.ids import first_few
from pipelines.artifacts.media_tables import BYTE_COLUMNS, byte_column
from pipelines.artifacts.opening import ParquetRows
from pipelines.errors import InputError
from pipelines.media.blobs import PerProcess
from pipelines.media.listing import MediaList
from pipelines.media.row_ids import rows_of_media

_GROUPS_KEPT = 2
_LARGE_GROUP = 256 * 2**20


class _Groups:
    """Open files and the row groups last read, of one process."""

    def __init__(self) -> None:
        self._files: dict[str, pq.ParquetFile] = {}
        self._groups: OrderedDict[tuple[str, int], pa.ChunkedArray] = OrderedDict()

    def read(self, path: str, group: int, column: str) -> pa.ChunkedArray:
        key = (path, group)
        if key not in self._groups:
            if path not in self._files:
                self._files[path] = pq.ParquetFile(path)
            table = self._files[path].read_row_group(group, columns=[column], use_threads=False)
            self._groups[key] = table.column(column)
            while len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]


class TableBlobs:
    """Bytes in Parquet files, read by row group; the last few row groups are kept.

    A row group is read whole for one medium of it: files meant for training have row groups of about a hundred.

    Args:
        paths: The files.
        where: What the files are called together, for messages.
        media: The media wanted, see `rows_of_media` for how they are found.
        suffixes: What names of such media end in.

    Raises:
        InputError: A file can't be used, media are missing there, or ids repeat.
    """

    def __init__(self, paths: Sequence[Path], where: str, media: MediaList, suffixes: tuple[str, ...]) -> None:
        self._paths = [os.fspath(path) for path in paths]
        self._columns: list[str] = []
        locations = []
        for number, path in enumerate(paths):
            with open_parquet(path) as file:
                column = byte_column(file.schema_arrow)
                if column is None:
                    present = first_few(file.schema_arrow.names)
                    raise InputError(f"{path}: no column of bytes ({', '.join(BYTE_COLUMNS)}); columns: {present}")
                self._columns.append(column)
                sizes = [group.num_rows for group in file.row_groups()]
                _warn_of_large_groups(file, path)
            for group, size in enumerate(sizes):
                locations.append(np.stack(np.broadcast_arrays(number, group, np.arange(size)), axis=1))
        rows = rows_of_media(media, paths, where, suffixes)
        self._location = np.concatenate(locations)[rows]
        self._groups = PerProcess(_Groups)

    def get(self, row: int) -> bytes:
        """The bytes of a medium.

        Raises:
            OSError, ValueError: They can't be read, or there are none.
        """
        number, group, place = self._location[row].tolist()
        value = self._groups.get().read(self._paths[number], group, self._columns[number])[place].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        if not data:
            raise ValueError("there are no bytes of it")
        return bytes(data)

    def where(self, row: int) -> str:
        """The Parquet file."""
        return self._paths[int(self._location[row, 0])]

    def name(self, row: int) -> str:
        """Nothing: what the bytes are is for them to say."""
        return ""


def _warn_of_large_groups(file: ParquetRows, path: Path) -> None:
    largest = max((group.total_byte_size for group in file.row_groups()), default=0)
    if largest > _LARGE_GROUP:
        warnings.warn(
            f"{path}: a row group holds {largest / 2**20:,.0f} MiB, all of which are read for one medium; "
            "write it with row groups of about 100 rows",
            stacklevel=4,
        )
