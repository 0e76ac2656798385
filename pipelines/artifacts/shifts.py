"""Reading shifts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts.ids import align
from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import SHIFTS
from pipelines.errors import InputError


@dataclass(frozen=True)
class Shifts:
    """Shifts of n samples.

    Attributes:
        sample_ids: The samples.
        shift_n: (n,) float64, in units of temperature or margin.
        cluster_size_n: (n,) training cluster sizes.
    """

    sample_ids: pa.ChunkedArray
    shift_n: NDArray[np.float64]
    cluster_size_n: NDArray[np.int64]

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest shift, rid of what float32 added to the number that was asked for."""
        return float(f"{self.shift_n.min():.7g}"), float(f"{self.shift_n.max():.7g}")


def read_shifts(path: Path, sample_ids: pa.ChunkedArray | None = None) -> Shifts:
    """Read a shifts file.

    Args:
        path: The file.
        sample_ids: Samples wanted, in this order; all of the file if None.

    Raises:
        InputError: The file can't be used, samples are missing there (how many, which first), or a shift is NaN.
    """
    return select_shifts(read_table(path, SHIFTS), path, sample_ids)


def select_shifts(table: pa.Table, path: Path, sample_ids: pa.ChunkedArray | None = None) -> Shifts:
    """Take the shifts of some samples from the content of a shifts file; else as `read_shifts`."""
    if sample_ids is not None:
        rows = align(sample_ids, table.column("sample_id"), what="training samples", path=path)
        table = table.take(pa.array(rows))
    shift_n = table.column("shift").to_numpy().astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(shift_n))
    if len(bad):
        first = table.column("sample_id")[int(bad[0])].as_py()
        raise InputError(f"{path}: {len(bad)} shifts are not finite, first that of {first}; make the shifts again")
    size_n = np.array(table.column("cluster_size").to_numpy())  # a copy that may be written to, as torch wants
    return Shifts(table.column("sample_id"), shift_n, size_n)
