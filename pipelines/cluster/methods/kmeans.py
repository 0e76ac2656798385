"""k-means."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import SEED, Method, Option
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import Rows


def kmeans(
    matrix_nd: "Rows", count_n: "NDArray[np.integer[Any]]", *, k: int, seed: int = 0, **how: Any
) -> "Clustering":
    """Cluster rows with k-means: `kmeans_seeds` with one seed."""
    return next(kmeans_seeds(matrix_nd, count_n, k=k, seeds=[seed], **how))


def kmeans_seeds(
    matrix_nd: "Rows",
    count_n: "NDArray[np.integer[Any]]",
    *,
    k: int,
    seeds: Sequence[int],
    niter: int = 20,
    levels: int = 1,
    spherical: bool = True,
    max_points_per_centroid: int | None = None,
) -> "Iterator[Clustering]":
    """Cluster rows with k-means for each seed, fitted on some of them, every row assigned to its nearest centroid.

    The fits share each pass over the rows. What a seed gives does not depend on the others, nor on threads.

    With two levels, rows are clustered coarsely and each coarse cluster again by itself, see
    `pipelines.cluster.hierarchical`: for k of tens of thousands. The nearest centroid is that of all.

    Args:
        matrix_nd: (n, d) vectors.
        count_n: (n,) how many training samples each row stands for: rows of 0 are not fitted on, others each once.
        k: Number of centroids.
        seeds: Seeds of the initial centroids.
        niter: Iterations, at most.
        levels: 1, or 2.
        spherical: Normalise rows and centroids, so that the nearest centroid is that of the highest cosine similarity.
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all rows if None.

    Raises:
        InputError: k is larger than the number of distinct rows to fit on.
    """
    import numpy as np

    from pipelines.cluster.centroids import CentroidFit
    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import cosine_to
    from pipelines.cluster.hierarchical import fit_two_levels

    centroids = CentroidFit(niter, spherical, max_points_per_centroid)
    training_md = matrix_nd if (count_n > 0).all() else matrix_nd[np.flatnonzero(count_n)]
    if (distinct := centroids.count_distinct(training_md, stop=k)) < k:
        raise InputError(
            f"--k {k}: the {len(training_md)} rows to fit on hold only {distinct} distinct points; "
            f"the largest k is {distinct}"
        )
    fitted: Iterable[NDArray[np.float32]] = (
        (fit_two_levels(training_md, k, seed, centroids) for seed in seeds)
        if levels == 2
        else centroids.fit_seeds(training_md, k, seeds)
    )
    for centroids_kd in fitted:
        cluster_n = centroids.nearest(matrix_nd, centroids_kd)
        yield Clustering(cluster_n, cosine_to(matrix_nd, centroids_kd, cluster_n))


METHOD = Method(
    "kmeans",
    "k-means, by cosine similarity unless told otherwise",
    (
        Option("k", int, "number of clusters (the paper takes 200 for YouCook2)", required=True, least=1),
        SEED,
        Option("niter", int, "Iterations.", default=20, least=1, most=10_000),
        Option(
            "levels",
            int,
            "Levels; with 2, coarse clusters are clustered again, which is quicker for a --k of thousands.",
            default=1,
            least=1,
            most=2,
            added=True,
        ),
        Option(
            "spherical",
            bool,
            "Cosine similarity or Euclidean distance.",
            default=True,
            flag="--spherical/--euclidean",
        ),
        Option(
            "max_points_per_centroid",
            int,
            "Fit on a random sample of at most this many rows per cluster (default: on all rows).",
            least=1,
        ),
    ),
    kmeans,
    results=2,  # 2: Lloyd's iterations of our own, from other initial centroids than faiss's
)
