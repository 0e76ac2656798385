"""Writing and reading vectors: as the stages do, against Parquet as pyarrow writes it by default.

    python benchmarks/vector_files.py

100,000 vectors of 384 numbers, with ids, in float16 and float32. By default every column gets a dictionary, as long as
it is no larger than a mebibyte, and float16 has only 65,536 values: it never is. Ours leaves vectors without one,
compresses with zstd, and checks the pages' sums as it reads. Repeats are interleaved.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from figures import figure

from pipelines.artifacts import ArtifactWriter, Provenance, open_parquet, vector_schema

ROWS, DIMENSION, REPEATS = 100_000, 384, 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write(table: pa.Table, path: Path) -> None:
    with ArtifactWriter(path, table.schema, Provenance("benchmark", "vectors", {}, {})) as writer:
        writer.write(table)


def read(opened: Callable[[Path], AbstractContextManager[Any]], path: Path) -> None:
    with opened(path) as file:
        for _ in file.iter_batches():
            pass


def compare(what: str, ours: Callable[[], object], default: Callable[[], object]) -> None:
    pairs = [(seconds(ours), seconds(default)) for _ in range(REPEATS + 1)][1:]
    our_time, default_time = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"{what}: {our_time:.2f} s, by default {default_time:.2f} s")
    figure(what, "Parquet as pyarrow writes it", our_time / default_time)


def main() -> None:
    random = np.random.default_rng(0)
    for dtype in ("float16", "float32"):
        schema = vector_schema("sample_id", DIMENSION, dtype, split=False)
        numbers = pa.array(random.standard_normal(ROWS * DIMENSION, dtype=np.float32).astype(dtype))
        vectors = pa.FixedSizeListArray.from_arrays(numbers, DIMENSION)
        table = pa.table({"sample_id": [f"s{row:08d}" for row in range(ROWS)], "embedding": vectors}).cast(schema)
        what = f"vectors of {dtype}"
        with tempfile.TemporaryDirectory() as folder:
            ours, default = Path(folder, "ours.parquet"), Path(folder, "default.parquet")
            compare(f"{what}, written", partial(write, table, ours), partial(pq.write_table, table, default))
            compare(f"{what}, read", partial(read, open_parquet, ours), partial(read, pq.ParquetFile, default))
            size = ours.stat().st_size / default.stat().st_size
            figure(f"{what}, size of the file", "Parquet as pyarrow writes it", size, "of the size")


if __name__ == "__main__":
    main()
