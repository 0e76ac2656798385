"""Local density from nearest neighbors: how many training samples are about as near as a neighbor usually is."""

from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import Method, Option
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.cluster.clustering import Clustering

DEFAULT_NEIGHBORS = 50
_SAMPLE = 1_000  # rows that radius and recall are measured on


def knn(
    matrix_nd: "NDArray[np.float32]", count_n: "NDArray[np.integer[Any]]", *, neighbors: int = DEFAULT_NEIGHBORS
) -> "Clustering":
    """Count the training samples around each row, in a neighborhood that is equally wide for all.

    A neighborhood reaches as far, in cosine similarity, as the k-th nearest neighbor of the median fitted row, so that
    half of the fitted rows have k neighbors or more. A row that was fitted is in its own neighborhood.

    Args:
        matrix_nd: (n, d) vectors.
        count_n: (n,) how many training samples each row stands for; rows of 0 are counted in no neighborhood.
        neighbors: k.

    Returns:
        Each row as the cluster of its own number, of the size that was counted; figures ``least_similarity`` (how wide
        neighborhoods are), ``median``, and ``recall`` of the neighbors, see `neighborhood_sizes`.

    Raises:
        InputError: There are no more than k rows to fit on.
    """
    import numpy as np

    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import normalised
    from pipelines.cluster.neighborhoods import kth_similarity, neighborhood_sizes

    rows_nd = normalised(matrix_nd)
    fitted_n = count_n > 0
    fitted_md, count_m = rows_nd[fitted_n], count_n[fitted_n].astype(np.int64)
    if neighbors >= len(fitted_md):
        raise InputError(
            f"--neighbors {neighbors}: each of the {len(fitted_md)} rows to fit on has only {len(fitted_md) - 1} "
            "neighbors; lower it"
        )
    chosen = np.random.default_rng(0).permutation(len(fitted_md))[:_SAMPLE]
    sample_sd = fitted_md[chosen]
    least = float(np.median(kth_similarity(sample_sd, fitted_md, neighbors + 1)))  # the nearest is the row itself
    size_n, recall = neighborhood_sizes(rows_nd, fitted_md, count_m, least, sample_sd)
    figures = {"least_similarity": least, "median": float(np.median(size_n[fitted_n])), "recall": recall}
    return Clustering(np.arange(len(rows_nd)), size_n=size_n, figures=figures)


METHOD = Method(
    "knn",
    "how many training samples are near each, without clusters to number",
    (
        Option(
            "neighbors",
            int,
            "Number of neighbors that the median row has within the distance that is called near.",
            default=DEFAULT_NEIGHBORS,
            least=1,
        ),
    ),
    knn,
    libraries=("faiss-cpu",),
    has_labels=False,
)
