"""Captions a second of ``mmts embed`` with Ray and without, on the same cores; what 100 million captions would take.

MMTS_DATA_DIR=... python benchmarks/ray_embedding.py

Runs alternate. A rate is without the start, in which models are loaded, and which stands beside it. The cost is worked
out from the processor time of the local engine on one thread, which other work changes little.
"""

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch

from pipelines.annotations import prepare_table
from pipelines.embed import embed
from pipelines.engines import Engine

REPEATS = 3
CAPTIONS = 2_000
MANY = 100_000_000


class Clock:
    """A progress bar that notes the time: on the clock, and in this process's processor time."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.units = 0

    @contextlib.contextmanager
    def task(self, label, total, unit):
        """Open a piece of work; the last is that of encoding."""
        self.opened = time.perf_counter(), time.process_time()
        yield self

    def note(self, text):
        """What is said besides is not for here."""

    def advance(self, count=1, note=""):
        """Note the time."""
        self.units += count
        self.last = time.perf_counter(), time.process_time()

    def rates(self) -> tuple[float, float, float]:
        """Seconds until encoding begins; from there units a second of the clock, and of processor time."""
        clock, processor = (last - opened for last, opened in zip(self.last, self.opened, strict=True))
        return self.opened[0] - self.began, self.units / clock, self.units / processor


def main() -> None:
    data = os.environ.get("MMTS_DATA_DIR")
    if data is None:
        print("left out: MMTS_DATA_DIR is not set")
        return
    measured: dict[str, list[tuple[float, float, float]]] = {"local": [], "local, 1 thread": [], "ray": []}
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lines = (Path(data) / "flickr8k" / "captions.csv").read_text().splitlines()[: CAPTIONS + 1]
        (folder / "captions.csv").write_text("\n".join(lines) + "\n")
        prepare_table(folder / "captions.csv", folder / "a.parquet", text_column="caption")
        texts = pq.read_table(folder / "a.parquet").column("text").to_pylist()
        for _ in range(REPEATS):
            for name, values in measured.items():
                engine, _, one = name.partition(",")
                torch.set_num_threads(1 if one else threads)
                clock = Clock()
                options = {"device": "cpu", "engine": Engine(engine), "force": True, "progress": clock}
                embed(folder / "a.parquet", folder / f"{engine}.parquet", **options)
                values.append(clock.rates())
        same = (folder / "local.parquet").read_bytes() == (folder / "ray.parquet").read_bytes()
    characters = statistics.mean(map(len, texts))
    print(f"{len(texts):,} captions of {characters:.0f} characters on {os.cpu_count()} cores; same bytes: {same}")
    print(f"{'':15} {'start, s':>9} {'captions/s':>11}   (medians of {REPEATS} alternating runs)")
    for engine, values in measured.items():
        print(
            f"{engine:8} {statistics.median(v[0] for v in values):9.1f} {statistics.median(v[1] for v in values):11.0f}"
        )
    pairs = zip(measured["ray"], measured["local"], strict=True)
    print(f"ray / local: {statistics.median(ray[1] / local[1] for ray, local in pairs):.2f} of the captions a second")
    rate = statistics.median(value[2] for value in measured["local, 1 thread"])
    print(f"a core: {rate:.0f} captions a second of processor time; {MANY:,}: {MANY / rate / 3600:,.0f} core-hours")


if __name__ == "__main__":
    main()
