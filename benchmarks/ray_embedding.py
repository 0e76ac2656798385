"""Captions a second of ``mmts embed`` with Ray and without, on the same cores; what 100 million captions would take.

MMTS_DATA_DIR=... python benchmarks/ray_embedding.py

Runs of both alternate. A rate is from the first report of progress to the last, so without the start, which stands
beside it. The cost is worked out from the processor time of the local engine, which other work changes little.
"""

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.annotations import prepare_table
from pipelines.embed import embed
from pipelines.engines import Engine

REPEATS = 3
CAPTIONS = 2_000
MANY = 100_000_000


class Clock:
    """A progress bar that notes when how much was reported: on the clock, and in this process's processor time."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.reports: list[tuple[float, float, int]] = []

    @contextlib.contextmanager
    def task(self, label, total, unit):
        """Open the only piece of work."""
        yield self

    def advance(self, count=1, note=""):
        """Note the time."""
        self.reports.append((time.perf_counter(), time.process_time(), count))

    def rates(self) -> tuple[float, float, float]:
        """Seconds until the first report; from there units a second of the clock, and of processor time."""
        (clock, processor, _), (last_clock, last_processor, _) = self.reports[0], self.reports[-1]
        units = sum(count for _, _, count in self.reports[1:])
        return clock - self.began, units / (last_clock - clock), units / (last_processor - processor)


def main() -> None:
    data = os.environ.get("MMTS_DATA_DIR")
    if data is None:
        print("left out: MMTS_DATA_DIR is not set")
        return
    measured: dict[str, list[tuple[float, float, float]]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = (Path(data) / "flickr8k" / "captions.csv").read_text().splitlines()[: CAPTIONS + 1]
        (folder / "captions.csv").write_text("\n".join(lines) + "\n")
        prepare_table(folder / "captions.csv", folder / "a.parquet", text_column="caption")
        texts = pq.read_table(folder / "a.parquet").column("text").to_pylist()
        for _ in range(REPEATS):
            for engine, values in measured.items():
                clock = Clock()
                options = {"device": "cpu", "engine": Engine(engine), "force": True, "progress": clock}
                embed(folder / "a.parquet", folder / f"{engine}.parquet", **options)
                values.append(clock.rates())
        same = (folder / "local.parquet").read_bytes() == (folder / "ray.parquet").read_bytes()
    characters = statistics.mean(map(len, texts))
    print(f"{len(texts):,} captions of {characters:.0f} characters on {os.cpu_count()} cores; same bytes: {same}")
    print(f"{'':8} {'start, s':>9} {'captions/s':>11}   (medians of {REPEATS} alternating runs)")
    for engine, values in measured.items():
        print(
            f"{engine:8} {statistics.median(v[0] for v in values):9.1f} {statistics.median(v[1] for v in values):11.0f}"
        )
    pairs = zip(measured["ray"], measured["local"], strict=True)
    print(f"ray / local: {statistics.median(ray[1] / local[1] for ray, local in pairs):.2f} of the captions a second")
    rate = statistics.median(value[2] for value in measured["local"])
    print(f"a core: {rate:.0f} captions a second of processor time; {MANY:,}: {MANY / rate / 3600:,.0f} core-hours")


if __name__ == "__main__":
    main()
