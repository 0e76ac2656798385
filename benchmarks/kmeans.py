"""k-means: ours, scikit-learn's and faiss's, against the matrix products that 20 iterations of Lloyd's algorithm take.

    python benchmarks/kmeans.py            40,000 x 384, k = 200, and 100,000 x 384, k = 1,000
    python benchmarks/kmeans.py --quick    the first only
    python benchmarks/kmeans.py --large    100,000 x 64, k = 10,000, 10 iterations: in one level, and in two

Each table is of a process of its own, with one thread or two, asked for by the environment (OMP_NUM_THREADS and the
like) or, where that says nothing, in the process. In it all candidates are interleaved. The floor is the faster of
NumPy's and torch's product of rows and centroids, once an iteration and once for the clusters at the end. faiss is run
as it comes, and with its BLAS limited to one thread. Inertia is the mean squared distance of rows to the mean
direction of their cluster, all of unit length. Beside other work processor time says more than time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import faiss
import numpy as np
import torch
from figures import figure
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from pipelines.cluster.geometry import normalised
from pipelines.cluster.methods.kmeans import kmeans

SIZES = {"small": (40_000, 384, 400, 200, 20, 3), "medium": (100_000, 384, 2_000, 1_000, 20, 1)}
SIZES["large"] = (100_000, 64, 5_000, 10_000, 10, 1)  # rows, dimensions, centres, k, iterations, repeats
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PRODUCTS = 3  # that the floor is measured on
Labels = np.ndarray


def mixture(rows: int, dimensions: int, centres: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres_kd = rng.standard_normal((centres, dimensions), dtype=np.float32)
    spread = 1.5 if dimensions > 100 else 0.5
    rows_nd = centres_kd[rng.integers(centres, size=rows)]
    return normalised(rows_nd + spread * rng.standard_normal((rows, dimensions), dtype=np.float32))


def inertia(rows_nd: np.ndarray, cluster_n: Labels) -> float:
    """Mean squared distance to the mean direction of the cluster: what spherical k-means makes small."""
    sums_kd = np.zeros((int(cluster_n.max()) + 1, rows_nd.shape[1]))
    np.add.at(sums_kd, cluster_n, rows_nd)
    return float(2 - 2 * np.einsum("nd,nd->n", rows_nd, normalised(sums_kd)[cluster_n]).mean())


def candidates(
    rows_nd: np.ndarray, k: int, niter: int, threads: int, large: bool
) -> dict[str, Callable[[int], Labels]]:
    rows, dimensions = rows_nd.shape

    def ours(seed: int, levels: int = 1) -> Labels:
        return kmeans(rows_nd, np.ones(rows, dtype=bool), k=k, seed=seed, niter=niter, levels=levels).cluster_n

    def scikit_learn(seed: int) -> Labels:
        model = KMeans(k, n_init=1, tol=0, max_iter=niter, init="random", random_state=seed)
        return np.asarray(model.fit(rows_nd).labels_)

    def by_faiss(seed: int) -> Labels:
        model = faiss.Kmeans(dimensions, k, niter=niter, seed=seed, spherical=True, max_points_per_centroid=rows)
        model.train(rows_nd)
        return np.asarray(model.index.search(rows_nd, 1)[1][:, 0])

    def one_blas_thread(seed: int) -> Labels:
        with threadpool_limits(1, user_api="blas"):
            faiss.omp_set_num_threads(threads)  # which its BLAS, built with OpenMP, shares
            return by_faiss(seed)

    if large:
        return {"mmts": ours, "mmts, two levels": lambda seed: ours(seed, 2)}
    return {"mmts": ours, "scikit-learn": scikit_learn, "faiss": by_faiss, "faiss, BLAS limited to 1": one_blas_thread}


def measure(size: str, threads: int) -> None:
    """In a process of its own: print what every candidate took, as JSON."""
    rows, dimensions, centres, k, niter, repeats = SIZES[size]
    rows_nd = mixture(rows, dimensions, centres)
    centroids_kd = np.ascontiguousarray(rows_nd[:k])
    rows_t, centroids_t = torch.from_numpy(rows_nd), torch.from_numpy(centroids_kd)
    floors = {"products, NumPy": lambda: rows_nd @ centroids_kd.T, "products, torch": lambda: rows_t @ centroids_t.T}
    found: dict[str, dict[str, list[float]]] = {}

    def timed(name: str, run: Callable[[], object], times: float = 1) -> object:
        wall, cpu = time.perf_counter(), time.process_time()
        result = run()
        each = found.setdefault(name, {"wall": [], "cpu": [], "inertia": []})
        each["wall"].append((time.perf_counter() - wall) * times)
        each["cpu"].append((time.process_time() - cpu) * times)
        return result

    if not any(name in os.environ for name in VARIABLES):
        torch.set_num_threads(threads)
        threadpool_limits(threads)
    faiss.omp_set_num_threads(threads)
    for product in floors.values():
        product()
    for seed in range(repeats):
        for name, product in floors.items():
            timed(name, lambda product=product: [product() for _ in range(PRODUCTS)], (niter + 1) / PRODUCTS)
        for name, run in candidates(rows_nd, k, niter, threads, size == "large").items():
            cluster_n = timed(name, lambda run=run, seed=seed: run(seed))
            found[name]["inertia"].append(inertia(rows_nd, cluster_n))
    blas = [
        (each["internal_api"], each["version"], each["architecture"])
        for each in threadpool_info()
        if "architecture" in each
    ]
    print(json.dumps({"found": found, "blas": blas}))


def table(size: str, threads: int, by_environment: bool) -> None:
    rows, dimensions, _, k, niter, repeats = SIZES[size]
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if by_environment:
        environment |= dict.fromkeys(VARIABLES, str(threads))
    ran = subprocess.run(
        [sys.executable, __file__, "--measure", size, str(threads)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    shown = json.loads(ran.stdout)
    median = {
        name: {what: statistics.median(values) for what, values in each.items() if values}
        for name, each in shown["found"].items()
    }
    floor = {what: min(each[what] for name, each in median.items() if "products" in name) for what in ("wall", "cpu")}
    how = "by the environment" if by_environment else "in the process"
    print(f"\n{rows:,} x {dimensions}, k = {k:,}, {niter} iterations; threads: {threads}, set {how}")
    print(f"median of {repeats}; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{'':26} {'s':>8} {'of floor':>9} {'cpu s':>8} {'of floor':>9} {'inertia':>9}")
    for name, each in median.items():
        tight = f"{each['inertia']:9.4f}" if "inertia" in each else ""
        ratios = {what: each[what] / floor[what] for what in floor}
        print(f"{name:26} {each['wall']:8.2f} {ratios['wall']:9.2f} {each['cpu']:8.2f} {ratios['cpu']:9.2f} {tight}")
    print("BLAS:", "; ".join(f"{api} {version} ({kind})" for api, version, kind in shown["blas"]), flush=True)
    if not by_environment:
        what = f"k-means, {rows:,} x {dimensions}, k = {k:,}, threads: {threads}"
        against = f"the faster of NumPy's and torch's {niter + 1} products"
        figure(what, against, median["mmts"]["cpu"] / floor["cpu"], "times the processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's note that it has not converged
            measure(args.measure[0], int(args.measure[1]))
        return
    for size in ["large"] if args.large else ["small"] if args.quick else ["small", "medium"]:
        for threads in (1, 2):
            for by_environment in (False, True):
                table(size, threads, by_environment)


if __name__ == "__main__":
    main()
