"""k-means with faiss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import SEED, Method, Option
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.artifacts.matrix import Matrix
    from pipelines.cluster.clustering import Clustering


@dataclass(frozen=True)
class KMeansRows:
    """The rows in the form that k-means takes, which clusterings with other k and seeds can share.

    Attributes:
        matrix_nd: (n, d) all rows.
        training_md: Those of them that are fitted on, as they are clustered.
        fitted: How many rows there are to fit on; ``training_md`` may be a sample of them, see `rows_to_fit`.
        spherical: Whether rows are clustered at unit length.
    """

    matrix_nd: "Matrix"
    training_md: "NDArray[np.float32]"
    fitted: int
    spherical: bool

    def take(self, rows: "slice | NDArray[np.int64]") -> "NDArray[np.float32]":
        """Some rows, as they are clustered."""
        import numpy as np

        from pipelines.cluster.geometry import normalised

        block_nd = self.matrix_nd[rows]
        return normalised(block_nd) if self.spherical else np.ascontiguousarray(block_nd)


def kmeans_rows(matrix_nd: "Matrix", count_n: "NDArray[np.integer[Any]]", *, spherical: bool) -> KMeansRows:
    """The rows for `kmeans`, whose arguments these are."""
    import numpy as np

    from pipelines.cluster.geometry import directions_of, rows_to_fit

    chosen = rows_to_fit(count_n, matrix_nd.shape[1])
    training_md = directions_of(matrix_nd, chosen) if spherical else np.ascontiguousarray(matrix_nd[chosen])
    return KMeansRows(matrix_nd, training_md, int(np.count_nonzero(count_n)), spherical)


def kmeans(
    matrix_nd: "Matrix",
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
        max_points_per_centroid: Fit on a sample of at most this many rows a centroid; on all if None, or as many as
            `rows_to_fit` allows. (faiss by itself would take 256.)
        rows: What `kmeans_rows` makes of the vectors, where it is shared.

    Raises:
        InputError: k is larger than the number of distinct rows to fit on.
    """
    import numpy as np

    from pipelines.cluster.centroids import CentroidFit
    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import BLOCK_ROWS, cosine_to
    from pipelines.cluster.hierarchical import fit_two_levels

    rows = rows or kmeans_rows(matrix_nd, count_n, spherical=spherical)
    training_md = rows.training_md
    _require_distinct(training_md, k)
    centroids = CentroidFit(seed, niter, spherical, max_points_per_centroid)
    centroids_kd = fit_two_levels(training_md, k, centroids) if levels == 2 else centroids.fit(training_md, k)
    cluster_n = np.empty(len(matrix_nd), dtype=np.int64)
    similarity_n = np.empty(len(matrix_nd), dtype=np.float32)
    for start in range(0, len(matrix_nd), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        block_bd = rows.take(part)
        cluster_n[part] = centroids.nearest(block_bd, centroids_kd)
        similarity_n[part] = cosine_to(block_bd, centroids_kd, cluster_n[part])
    figures: dict[str, float] = {"sampled_rows": len(training_md)} if len(training_md) < rows.fitted else {}
    return Clustering(cluster_n, similarity_n, figures=figures)


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
