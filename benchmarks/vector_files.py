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
from pathlib import Path

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


def main() -> None:
    random = np.random.default_rng(0)
    for dtype in ("float16", "float32"):
        schema = vector_schema("sample_id", DIMENSION, dtype, split=False)
        numbers = pa.array(random.standard_normal(ROWS * DIMENSION, dtype=np.float32).astype(dtype))
        vectors = pa.FixedSizeListArray.from_arrays(numbers, DIMENSION)
        table = pa.table({"sample_id": [f"s{row:08d}" for row in range(ROWS)], "embedding": vectors}).cast(schema)
        with tempfile.TemporaryDirectory() as folder:
            default, ours = Path(folder, "default.parquet"), Path(folder, "ours.parquet")

            def write(table: pa.Table = table, path: Path = ours) -> None:
                with ArtifactWriter(path, table.schema, Provenance("benchmark", "vectors", {}, {})) as writer:
                    writer.write(table)

            def read(path: Path = ours) -> None:
                with open_parquet(path) as file:
                    for _ in file.iter_batches():
                        pass

            def write_default(table: pa.Table = table, path: Path = default) -> None:
                pq.write_table(table, path)

            def read_default(path: Path = default) -> None:
                with pq.ParquetFile(path) as file:
                    for _ in file.iter_batches():
                        pass

            for what, our_work, other_work in (("written", write, write_default), ("read", read, read_default)):
                pairs = [(seconds(our_work), seconds(other_work)) for _ in range(REPEATS + 1)][1:]
                times, others = (statistics.median(each) for each in zip(*pairs, strict=True))
                print(f"{dtype}, {what}: {times:.2f} s, by default {others:.2f} s")
                figure(f"vectors of {dtype}, {what}", "Parquet as pyarrow writes it", times / others)
            size = ours.stat().st_size / default.stat().st_size
            figure(f"vectors of {dtype}, size of the file", "Parquet as pyarrow writes it", size, "of the size")


if __name__ == "__main__":
    main()
