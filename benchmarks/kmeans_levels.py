"""k-means in two levels against one, 100,000 x 64, k = 10,000: time, and mean similarity to the cluster's direction.

The points lie around 5,000 random directions without any larger groups, the worst case for coarse clusters.

python benchmarks/kmeans_levels.py
"""

import time

import numpy as np

from pipelines.cluster.geometry import cluster_directions, cosine_to, normalised
from pipelines.cluster.methods.kmeans import kmeans

ROWS, DIMENSIONS, CENTRES, K, ITERATIONS = 100_000, 64, 5_000, 10_000, 10


def mixture() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres_kd = rng.standard_normal((CENTRES, DIMENSIONS))
    rows_nd = centres_kd[rng.integers(CENTRES, size=ROWS)] + 0.5 * rng.standard_normal((ROWS, DIMENSIONS))
    return normalised(rows_nd.astype(np.float32))


def main() -> None:
    rows_nd = mixture()
    print(f"{'':10} {'s':>7} {'ratio':>7} {'mean similarity':>16} {'clusters':>9}")
    base = 0.0
    for levels, name in ((1, "one level"), (2, "two levels")):
        start = time.perf_counter()
        cluster_n = kmeans(rows_nd, np.ones(ROWS, dtype=bool), k=K, niter=ITERATIONS, levels=levels).cluster_n
        taken = time.perf_counter() - start
        base = base or taken
        clusters = np.unique(cluster_n)
        directions_kd = cluster_directions(rows_nd, cluster_n, clusters)
        similarity = cosine_to(rows_nd, directions_kd, np.searchsorted(clusters, cluster_n)).mean()
        print(f"{name:10} {taken:7.1f} {taken / base:7.2f} {similarity:16.4f} {len(clusters):9,}")


if __name__ == "__main__":
    main()
