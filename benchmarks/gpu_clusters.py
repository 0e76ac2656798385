"""k-means and knn on a GPU beside the CPU, in one run, and that both find the same.

    python benchmarks/gpu_clusters.py                  200,000 rows of 384, k = 1,000 and 10,000; knn of 1,000,000
    python benchmarks/gpu_clusters.py --quick          20,000 rows; knn of 60,000
    python benchmarks/gpu_clusters.py --device cpu     the same without a GPU, to try the script

k-means: 20 iterations and the clusters at the end, on the GPU, on all cores, and the bare products that these take, by
torch on the GPU. k = 10,000 is in two levels. knn: the width of neighborhoods, the cells, and the counts around every
row on the GPU, and around some rows on the cores: time per row. Made-up points around 2,000 centres; the script fails
where the GPU finds anything else than the cores.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also without the package installed

from figures import figure

from pipelines.cluster.geometry import normalised
from pipelines.cluster.methods.kmeans import kmeans
from pipelines.cluster.neighborhoods import kth_similarity, neighborhoods_of

NITER, NEIGHBORS, SAMPLE, LOOKED_UP = 20, 50, 1_000, 8_192
_FoundT = TypeVar("_FoundT")


def mixture(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows_nd = rng.standard_normal((2_000, 384), dtype=np.float32)[rng.integers(2_000, size=rows)]
    for start in range(0, rows, 50_000):
        part_nd = rows_nd[start : start + 50_000]
        part_nd += rng.standard_normal(part_nd.shape, dtype=np.float32)
    return normalised(rows_nd)


def timed(run: Callable[[], _FoundT]) -> tuple[float, _FoundT]:
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def products(rows_nd: np.ndarray, k: int, device: str) -> float:
    """Seconds of the bare products, the rows being there."""
    rows, centroids = torch.tensor(rows_nd, device=device), torch.tensor(rows_nd[:k], device=device)

    def product() -> None:
        for part in rows.split(max(1, 2**28 // k)):
            last = part @ centroids.T
        last[0, 0].item()  # so that it is done

    product()
    return timed(lambda: [product() for _ in range(NITER + 1)])[0]


def measure_kmeans(rows: int, k: int, levels: int, device: str) -> None:
    rows_nd, every_n = mixture(rows), np.ones(rows, dtype=np.int64)

    def run(on: str) -> np.ndarray:
        return kmeans(rows_nd, every_n, k=k, niter=NITER, levels=levels, device=on).cluster_n

    kmeans(rows_nd[:5_000], every_n[:5_000], k=10, niter=1, device=device)  # starts the device
    cpu, on_cpu = timed(lambda: run("cpu"))
    gpu, on_gpu = timed(lambda: run(device))
    bare = products(rows_nd, k, device) if levels == 1 else None
    what = f"k-means, {rows:,} x 384, k = {k:,}, {NITER} iterations, levels: {levels}"
    print(f"{what}: {cpu:.2f} s on cores, {gpu:.2f} s on {device}" + (f", products {bare:.2f} s" if bare else ""))
    figure(what, "itself on cores", gpu / cpu)
    if bare:
        figure(what, f"torch's {NITER + 1} products there", gpu / bare)
    require_same(on_cpu, on_gpu)


def measure_knn(rows: int, device: str) -> None:
    rows_nd = mixture(rows)
    sample_sd = rows_nd[np.random.default_rng(0).permutation(rows)[:SAMPLE]]
    width, kth_s = timed(lambda: kth_similarity(sample_sd, np.array_split(rows_nd, 8), NEIGHBORS + 1, device))
    least = float(np.median(kth_s))
    cells, around = timed(lambda: neighborhoods_of(rows_nd, np.ones(rows, np.int64), least, sample_sd, device))
    around.sizes(rows_nd[:100])  # the fitted rows go there
    gpu, on_gpu = timed(lambda: around.sizes(rows_nd))
    cpu, on_cpu = timed(lambda: replace(around, device="cpu").sizes(rows_nd[:LOOKED_UP]))
    what = f"knn, {rows:,} x 384"
    print(
        f"{what}, on {device}: width {width:.1f} s, cells {cells:.1f} s, counts {gpu:.1f} s; recall {around.recall:.3f}"
    )
    gpu, cpu = 1e6 * gpu / rows, 1e6 * cpu / len(on_cpu)
    print(f"counts: {gpu:.1f} us a row, on cores {cpu:.1f}, measured on {len(on_cpu):,} rows")
    figure(f"{what}, counts", "itself on cores, time a row", gpu / cpu)
    require_same(on_cpu, on_gpu[: len(on_cpu)])


def require_same(on_cpu: np.ndarray, on_gpu: np.ndarray) -> None:
    if on_cpu.tobytes() != on_gpu.tobytes():
        sys.exit("the device finds something else than the cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("left out: there is no GPU here")
        return
    name = torch.cuda.get_device_name() if args.device != "cpu" else "cpu"
    print(f"{name}, torch {torch.__version__}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    rows = 20_000 if args.quick else 200_000
    measure_kmeans(rows, 1_000, 1, args.device)
    measure_kmeans(rows, rows // 20, 2, args.device)
    measure_knn(60_000 if args.quick else 1_000_000, args.device)


if __name__ == "__main__":
    main()
