"""k-means: ours (faiss, every row used) against scikit-learn's KMeans at equal iterations, 40,000 x 384, k = 200.

python benchmarks/kmeans.py
"""

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from pipelines.cluster.geometry import normalised
from pipelines.cluster.methods.kmeans import kmeans

ROWS, DIMENSIONS, CENTRES, K, ITERATIONS, REPEATS = 40_000, 384, 400, 200, 20, 5


def mixture() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres_kd = rng.standard_normal((CENTRES, DIMENSIONS))
    rows_nd = centres_kd[rng.integers(CENTRES, size=ROWS)] + 1.5 * rng.standard_normal((ROWS, DIMENSIONS))
    return normalised(rows_nd.astype(np.float32))


def mean_similarity(rows_nd: np.ndarray, cluster_n: np.ndarray) -> float:
    """The objective of spherical k-means: similarity of a row to its cluster's mean direction."""
    sums_kd = np.zeros((K, DIMENSIONS), dtype=np.float32)
    np.add.at(sums_kd, cluster_n, rows_nd)
    return float(np.einsum("nd,nd->n", rows_nd, normalised(sums_kd)[cluster_n]).mean())


def main() -> None:
    rows_nd = mixture()
    fitted_n = np.ones(ROWS, dtype=bool)

    def theirs(seed: int) -> np.ndarray:
        model = KMeans(K, n_init=1, tol=0, max_iter=ITERATIONS, init="random", random_state=seed)
        return model.fit(rows_nd).labels_

    runs: dict[str, Callable[[int], np.ndarray]] = {
        "scikit-learn": theirs,
        "mmts": lambda seed: kmeans(rows_nd, fitted_n, k=K, seed=seed, niter=ITERATIONS).cluster_n,
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    quality: dict[str, list[float]] = {name: [] for name in runs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's note that it has not converged
        for repeat in range(REPEATS):
            for name, run in runs.items():
                start = time.perf_counter()
                cluster_n = run(repeat)
                taken[name].append(time.perf_counter() - start)
                quality[name].append(mean_similarity(rows_nd, cluster_n))
    base = statistics.median(taken["scikit-learn"])
    print(f"{'':14} {'median s':>9} {'ratio':>7} {'mean similarity':>16}   (of {REPEATS} interleaved runs)")
    for name, values in taken.items():
        median = statistics.median(values)
        print(f"{name:14} {median:9.2f} {median / base:7.2f} {statistics.median(quality[name]):16.4f}")


if __name__ == "__main__":
    main()
