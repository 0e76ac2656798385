"""Time, memory and size of a report, and of the map in it, by number of samples.

Makes scenes as the demo does, five captions each, with vectors around their concepts in place of embeddings, prepares
and scores them, and writes the report of the folder, thumbnails included.

    python benchmarks/report.py [--samples 1000 40000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.artifacts import ArtifactWriter, Provenance, vector_type
from pipelines.demo import make_scenes

CAPTIONS, DIMENSION = 5, 384


def mmts(*arguments: object) -> tuple[float, float, float]:
    """Run a command in a process of its own: seconds, seconds of processor time, peak memory in MiB."""
    start = time.perf_counter()
    line = [sys.executable, "-m", "mmts_cli", *map(str, arguments), "--quiet"]
    process = subprocess.Popen(line)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(line)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_vectors(path: Path, key: str, ids: list[str], centres_nd: np.ndarray, noise: float) -> None:
    random = np.random.default_rng(len(ids))
    vectors_nd = (centres_nd + noise * random.standard_normal(centres_nd.shape)).astype(np.float32)
    flat = pa.array(vectors_nd.reshape(-1))
    table = pa.table({key: ids, "embedding": pa.FixedSizeListArray.from_arrays(flat, DIMENSION)})
    schema = pa.schema([(key, pa.string()), ("embedding", vector_type(DIMENSION))])
    with ArtifactWriter(path, schema, Provenance("benchmark", f"{key} of {len(ids)}", {}, {})) as writer:
        writer.write(table)


def prepare(folder: Path, samples: int) -> None:
    """All that a report shows but training and a sweep."""
    scenes = make_scenes(folder, count=samples // CAPTIONS, imbalance=1.0, captions_per_image=CAPTIONS)
    annotations = folder / "annotations.parquet"
    columns = ["--text-column", "caption", "--media-id-column", "image", "--split-column", "split"]
    mmts("prepare", "table", scenes.captions, "-o", annotations, *columns, "--class-column", "concept")
    table = pq.read_table(annotations, columns=["sample_id", "media_id", "concept"]).to_pandas()
    kinds = table["concept"].astype("category").cat.codes.to_numpy()
    random = np.random.default_rng(0)
    media_of, media = table["media_id"].factorize()
    first = table.groupby(media_of)["sample_id"].head(1).index
    media_nd = random.standard_normal((kinds.max() + 1, DIMENSION))[kinds[first]]
    media_nd += 0.7 * random.standard_normal(media_nd.shape)
    write_vectors(folder / "media.parquet", "media_id", list(media), media_nd, 0.3)
    write_vectors(folder / "texts.parquet", "sample_id", list(table["sample_id"]), media_nd[media_of], 0.8)
    mmts(
        "cluster", folder / "texts.parquet", "-o", folder / "clusters.parquet", "--k", 50, "--annotations", annotations
    )
    mmts("shifts", folder / "clusters.parquet", "-o", folder / "shifts.parquet", "--min", 0.04, "--max", 0.08)
    files = [
        part
        for name in ("media", "text")
        for part in (f"--{name}", folder / f"{name.replace('text', 'texts')}.parquet")
    ]
    scored = ["--frequency", folder / "clusters.parquet", "--annotations", annotations]
    mmts("eval", *files, *scored, "-o", folder / "scores", "--resamples", 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000, 40_000], help="1,000 40,000 by default")
    print(f"{'samples':>8} {'seconds':>8} {'processor':>10} {'peak MiB':>9} {'page MB':>8}")
    for samples in parser.parse_args().samples:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder, samples)
            page = folder / "report.html"
            seconds, processor, peak = mmts("report", folder, "-o", page, "--media", folder / "images.zip")
            size = page.stat().st_size / 1e6
            print(f"{samples:8,} {seconds:8.1f} {processor:10.1f} {peak:9,.0f} {size:8.1f}", flush=True)


if __name__ == "__main__":
    main()
