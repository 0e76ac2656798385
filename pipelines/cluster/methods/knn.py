"""Local density from nearest neighbors: how many training samples are about as near as a neighbor usually is."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.cluster.method import Method, Option
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.artifacts.matrix import Matrix
    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.neighborhoods import Neighborhoods

DEFAULT_NEIGHBORS = 50
_SAMPLE = 1_000  # rows that radius and recall are measured on


def knn(
    matrix_nd: "Matrix",
    count_n: "NDArray[np.integer[Any]]",
    *,
    neighbors: int = DEFAULT_NEIGHBORS,
    engine: Engine = LOCAL,
    device: str = "cpu",
) -> "Clustering":
    """Count the training samples around each row, in a neighborhood that is equally wide for all.

    A neighborhood reaches as far, in cosine similarity, as the k-th nearest neighbor of the median fitted row, so that
    half of the fitted rows have k neighbors or more. A row that was fitted is in its own neighborhood.

    Of more fitted rows than `rows_to_fit` allows, neighbors are counted among a random sample, and the counts scaled to
    all. How wide neighborhoods are is measured on all, and a row counts itself in full.

    Args:
        matrix_nd: (n, d) vectors.
        count_n: (n,) how many training samples each row stands for; rows of 0 are counted in no neighborhood.
        neighbors: k.
        engine: Where neighbors are counted.
        device: ``cpu``, ``cuda`` or ``cuda:N``: where rows are compared; it holds the fitted ones.

    Returns:
        Each row as the cluster of its own number, of the size that was counted; figures ``least_similarity`` (how wide
        neighborhoods are), ``median``, and ``recall`` of the neighbors, see `neighborhoods_of`; ``sampled_rows``, where
        they were counted among a sample.

    Raises:
        InputError: There are no more than k rows to fit on.
    """
    import numpy as np

    from pipelines.cluster.clustering import Clustering
    from pipelines.cluster.geometry import directions_of, rows_to_fit
    from pipelines.cluster.neighborhoods import kth_similarity, neighborhoods_of
    from pipelines.cluster.products import device_here, rows_of_worker

    def in_blocks(rows: "NDArray[np.int64]") -> "Iterator[NDArray[np.float32]]":
        for start in range(0, len(rows), step):
            yield directions_of(matrix_nd, rows[start : start + step])

    here, step = device_here(device, engine), rows_of_worker(device)
    fitted = np.flatnonzero(count_n)
    if neighbors >= len(fitted):
        raise InputError(
            f"--neighbors {neighbors}: each of the {len(fitted)} rows to fit on has only {len(fitted) - 1} "
            "neighbors; lower it"
        )
    counted = rows_to_fit(count_n, matrix_nd.shape[1])
    chosen = np.random.default_rng(0).permutation(len(fitted))[:_SAMPLE]
    sample_sd = directions_of(matrix_nd, fitted[chosen])
    kth_s = kth_similarity(sample_sd, in_blocks(fitted), neighbors + 1, here)  # the nearest is the row itself
    least = float(np.median(kth_s))
    count_m = count_n[counted].astype(np.int64)
    around = neighborhoods_of(directions_of(matrix_nd, counted), count_m, least, sample_sd, here)
    with engine.workers(partial(_Counting, replace(around, device=device)), device=device) as workers:
        size_n = np.concatenate([*workers.map(in_blocks(np.arange(len(matrix_nd))))])
    if sampled := len(counted) < len(fitted):
        size_n = _scaled(size_n, count_n, counted)
    figures = {"least_similarity": least, "median": float(np.median(size_n[fitted])), "recall": around.recall}
    if sampled:
        figures["sampled_rows"] = len(counted)
    return Clustering(np.arange(len(matrix_nd)), size_n=size_n, figures=figures)


class _Counting:
    """Counts what lies around blocks of rows."""

    about = None

    def __init__(self, around: "Neighborhoods") -> None:
        self._around = around

    def __call__(self, rows_nd: "NDArray[np.float32]") -> "Iterator[NDArray[np.int64]]":
        """(n,) the counts around some rows."""
        yield self._around.sizes(rows_nd)


def _scaled(
    size_n: "NDArray[np.int64]", count_n: "NDArray[np.integer[Any]]", counted: "NDArray[np.int64]"
) -> "NDArray[np.int64]":
    """Sizes ``(n,)`` counted among some rows as they would be among all; but a row counts itself, and once."""
    import numpy as np

    others_n = size_n.copy()
    others_n[counted] -= count_n[counted]
    scaled_n: NDArray[np.int64] = count_n + np.rint(others_n * (count_n.sum() / count_n[counted].sum())).astype(
        np.int64
    )
    return scaled_n


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
    results=3,  # 2: past 1.5 GiB neighbors are counted in a sample; 3: cells of our own in place of faiss's index
    fitted_copies=2.0,  # they, and once more in the order of their cells
    has_labels=False,
    has_engines=True,
    has_devices=True,
)
