"""k-means."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import SEED, Method, Option, Values
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.artifacts.matrix import Matrix
    from pipelines.cluster.centroids import CentroidFit
    from pipelines.cluster.clustering import Clustering


def kmeans(
    matrix_nd: "Matrix", count_n: "NDArray[np.integer[Any]]", *, k: int, seed: int = 0, **how: Any
) -> "Clustering":
    """Cluster rows with k-means: `kmeans_seeds` with one seed."""
    return next(kmeans_seeds(matrix_nd, count_n, k=k, seeds=[seed], **how))


def kmeans_seeds(
    matrix_nd: "Matrix",
    count_n: "NDArray[np.integer[Any]]",
    *,
    k: int,
    seeds: Sequence[int],
    niter: int = 20,
    levels: int = 1,
    spherical: bool = True,
    max_points_per_centroid: int | None = None,
    engine: Engine = LOCAL,
    device: str = "cpu",
) -> "Iterator[Clustering]":
    """Cluster rows with k-means for each seed, fitted on some of them, every row assigned to its nearest centroid.

    The fits share each pass over the rows. What a seed gives does not depend on the others, threads or device.

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
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all if None, or as many as
            `rows_to_fit` allows.
        engine: Where the nearest centroids are found.
        device: ``cpu``, ``cuda`` or ``cuda:N``: where rows are compared with centroids.

    Raises:
        InputError: k is larger than the number of distinct rows to fit on.
    """
    import numpy as np

    from pipelines.cluster.centroids import CentroidFit
    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.hierarchical import fit_two_levels
    from pipelines.cluster.products import device_here, rows_of_worker

    centroids = CentroidFit(niter, spherical, max_points_per_centroid, device_here(device, engine))
    training_md = training_rows(matrix_nd, count_n)
    _require_distinct(training_md, k, centroids)
    sampled = len(training_md) < np.count_nonzero(count_n)
    fitted: Iterable[NDArray[np.float32]] = (
        (fit_two_levels(training_md, k, seed, centroids) for seed in seeds)
        if levels == 2
        else centroids.fit_seeds(training_md, k, seeds)
    )
    for centroids_kd in fitted:
        step = rows_of_worker(device)
        blocks = (matrix_nd[start : start + step] for start in range(0, len(matrix_nd), step))
        assigning = partial(_Assigning, centroids_kd, spherical, device)
        with engine.workers(assigning, device=device) as workers:
            clusters, similarities = zip(*workers.map(blocks), strict=True)
        cluster_n = np.concatenate(clusters)
        if (found := len(np.unique(cluster_n))) < k:
            remedy = ", or raise --max-points-per-centroid" if max_points_per_centroid else ""
            warnings.warn(
                f"--k {k}: only {found} clusters have rows, as too many of the fitted rows are alike; lower it{remedy}",
                stacklevel=3,
            )
        figures: dict[str, float] = {"sampled_rows": len(training_md)} if sampled else {}
        yield Clustering(cluster_n, np.concatenate(similarities), figures=figures)


class _Assigning:
    """Finds the clusters of blocks of rows."""

    about = None

    def __init__(self, centroids_kd: "NDArray[np.float32]", spherical: bool, device: str) -> None:
        from pipelines.cluster.lloyd import Centroids
        from pipelines.cluster.products import products_on

        self._centroids = Centroids(centroids_kd, spherical, products_on(device))

    def __call__(self, rows_nd: "NDArray[np.float32]") -> "Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]":
        """(n,) the centroid nearest to each row, and the similarity to it."""
        from pipelines.cluster.centroids import nearest_of
        from pipelines.cluster.geometry import cosine_to

        cluster_n = nearest_of(self._centroids, rows_nd)
        yield cluster_n, cosine_to(rows_nd, self._centroids.centroids_kd, cluster_n)


def training_rows(matrix_nd: "Matrix", count_n: "NDArray[np.integer[Any]]") -> "NDArray[np.float32]":
    """(m, d) the rows to fit on, or as many as `rows_to_fit` allows, in memory; not copied if they are all there is."""
    import numpy as np

    from pipelines.cluster.geometry import rows_to_fit

    chosen = rows_to_fit(count_n, matrix_nd.shape[1])
    every = isinstance(matrix_nd, np.ndarray) and len(chosen) == len(matrix_nd)
    return matrix_nd[:] if every else matrix_nd[chosen]


def _require_distinct(training_md: "NDArray[np.float32]", k: int, centroids: "CentroidFit") -> None:
    distinct = centroids.count_distinct(training_md, stop=k)
    if distinct < k:
        raise InputError(
            f"--k {k}: the {len(training_md)} rows to fit on hold only {distinct} distinct points; "
            f"the largest k is {distinct}"
        )


def _state_bytes(options: Values, rows: int, dimension: int, clusterings: int) -> int:
    from pipelines.cluster.lloyd import bytes_of

    return bytes_of(min(options["k"], rows), dimension, clusterings)  # a larger k is refused


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
    fitted_copies=1.45,  # what its iterations remember of each row
    results=2,  # 2: Lloyd's iterations of our own, from other initial centroids than faiss's
    state_bytes=_state_bytes,
    has_engines=True,
    has_devices=True,
)
