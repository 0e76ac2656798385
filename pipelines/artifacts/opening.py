"""Opening Parquet files, damaged ones refused in one line."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError

# Vectors of other tools, which `mmts prepare features` reads, or says how to convert.
_VECTORS = (".npy", ".npz", ".safetensors", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5", ".mat")
_MAGIC = b"PAR1"  # what a Parquet file begins with


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; damage found while reading inside the block is reported as well.

    Raises:
        InputError: The file is missing, empty, a directory, or not whole Parquet.
    """
    require_file(path)
    with path.open("rb") as handle:
        if not _MAGIC.startswith(handle.read(len(_MAGIC))):
            raise InputError(f"{path}: is not a Parquet file; {_what_reads(path)}")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path}: truncated or damaged Parquet file ({reason}); make it again") from error


def _what_reads(path: Path) -> str:
    if path.suffix.lower() in _VECTORS:
        return "`mmts prepare features` makes media_id and embedding of .npy, .npz and .safetensors"
    return "`mmts prepare table` makes annotations of CSV, TSV and JSON lines"
