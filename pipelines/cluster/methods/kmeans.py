"""k-means with faiss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import SEED, Method, Option
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering


@dataclass(frozen=True)
class KMeansRows:
    """The rows in the form that k-means takes, which clusterings with other k and seeds can share.

    Attributes:
        rows_nd: (n, d) all rows; of unit length if the clusters are spherical.
        training_nd: Those of them to fit on.
    """

    rows_nd: "NDArray[np.float32]"
    training_nd: "NDArray[np.float32]"


def kmeans_rows(
    matrix_nd: "NDArray[np.float32]", count_n: "NDArray[np.integer[Any]]", *, spherical: bool
) -> KMeansRows:
    """The rows for `kmeans`, whose arguments these are."""
    import numpy as np

    from pipelines.cluster.geometry import normalised

    rows_nd = normalised(matrix_nd) if spherical else np.ascontiguousarray(matrix_nd)
    return KMeansRows(rows_nd, np.ascontiguousarray(rows_nd[count_n > 0]))


def kmeans(
    matrix_nd: "NDArray[np.float32]",
    count_n: "NDArray[np.integer[Any]]",
    *,
    k: int,
    seed: int = 0,
    niter: int = 20,
    levels: int = 1,
    spherical: bool = True,
    max_points_per_centroid: int | None = None,
    rows: KMeansRows | None = None,
) -> "Clustering":
    """Cluster rows with k-means, fitted on some of them, every row assigned to its nearest centroid.

    With two levels, rows are clustered coarsely and each coarse cluster again by itself, see
    `pipelines.cluster.hierarchical`: for k of tens of thousands. The nearest centroid is that of all.

    Args:
        matrix_nd: (n, d) vectors.
        count_n: (n,) how many training samples each row stands for: rows of 0 are not fitted on, others each once.
        k: Number of centroids.
        seed: Seed of the initial centroids.
        niter: Iterations.
        levels: 1, or 2.
        spherical: Normalise rows and centroids, so that the nearest centroid is that of the highest cosine similarity.
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all rows if None. (faiss by
            itself would take 256.)
        rows: What `kmeans_rows` makes of the vectors, where it is shared.

    Raises:
        InputError: k is larger than the number of distinct rows to fit on.
    """

    from pipelines.cluster.centroids import CentroidFit
    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import cosine_to
    from pipelines.cluster.hierarchical import fit_two_levels

    rows = rows or kmeans_rows(matrix_nd, count_n, spherical=spherical)
    _require_distinct(rows.training_nd, k)
    centroids = CentroidFit(seed, niter, spherical, max_points_per_centroid)
    centroids_kd = fit_two_levels(rows.training_nd, k, centroids) if levels == 2 else centroids.fit(rows.training_nd, k)
    cluster_n = centroids.nearest(rows.rows_nd, centroids_kd)
    return Clustering(cluster_n, cosine_to(rows.rows_nd, centroids_kd, cluster_n))


def _require_distinct(matrix_nd: "NDArray[np.float32]", k: int) -> None:
    from pipelines.cluster.duplicates import count_distinct

    distinct = count_distinct(matrix_nd, stop=k)
    if distinct < k:
        raise InputError(
            f"--k {k}: the {len(matrix_nd)} rows to fit on hold only {distinct} distinct points; "
            f"the largest k is {distinct}"
        )


METHOD = Method(
    "kmeans",
    "k-means with faiss, by cosine similarity unless told otherwise",
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
            most=2**31 - 1,  # faiss has it as a C int
        ),
    ),
    kmeans,
    libraries=("faiss-cpu",),
)
