"""HDBSCAN on UMAP's projection."""

import warnings
from typing import TYPE_CHECKING, Any, Literal

from pipelines.cluster.method import SEED, Method, Option, Values
from pipelines.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.artifacts.matrix import Matrix
    from pipelines.cluster.clustering import Clustering


def hdbscan(
    matrix_nd: "Matrix",
    count_n: "NDArray[np.integer[Any]]",
    *,
    umap_dims: int = 15,
    umap_neighbors: int = 15,
    min_cluster_size: int = 15,
    noise: str = "separate",
    seed: int = 0,
) -> "Clustering":
    """Cluster rows by density: UMAP to ``umap_dims`` dimensions (cosine), then HDBSCAN; other rows are predicted.

    Args:
        matrix_nd: (n, d) vectors.
        count_n: (n,) how many training samples each row stands for: rows of 0 are not fitted on, others each once.
        umap_dims: Dimensions after UMAP; 0 clusters the normalised vectors themselves.
        umap_neighbors: Neighbours UMAP looks at.
        min_cluster_size: The smallest group HDBSCAN calls a cluster.
        noise: What becomes of rows in no cluster: ``separate`` labels them -1, and each counts as a cluster of one;
            ``nearest`` gives them to the cluster whose mean vector is most similar; ``own`` numbers each as a cluster.
        seed: Seed of UMAP, which then runs on one thread.

    Raises:
        InputError: There are too few rows, or everything is noise.
    """
    fitted_n = count_n > 0
    fitted_count = int(fitted_n.sum())
    if fitted_count <= max(min_cluster_size, *((umap_dims + 1, umap_neighbors) if umap_dims else (0,))):
        options = f"--umap-dims {umap_dims}, --umap-neighbors {umap_neighbors} and " if umap_dims else ""
        raise InputError(
            f"{fitted_count} rows to fit on are too few for {options}--min-cluster-size {min_cluster_size}"
        )
    import hdbscan as density
    import numpy as np

    from pipelines.cluster.geometry import normalised
    from pipelines.cluster.noise import resolve_noise

    rows_nd = normalised(np.asarray(matrix_nd))
    cluster_n = np.empty(len(rows_nd), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and scikit-learn's notes to developers
        projected_nd = _project(rows_nd, fitted_n, umap_dims, umap_neighbors, seed) if umap_dims else rows_nd
        model = density.HDBSCAN(min_cluster_size=min_cluster_size, prediction_data=True, core_dist_n_jobs=1)
        cluster_n[fitted_n] = model.fit_predict(projected_nd[fitted_n].astype(np.float64))
        if not fitted_n.all():
            predicted, _ = density.approximate_predict(model, projected_nd[~fitted_n].astype(np.float64))
            cluster_n[~fitted_n] = predicted
    return resolve_noise(rows_nd, cluster_n, fitted_n, noise)


def _project(
    rows_nd: "NDArray[np.float32]", fitted_n: "NDArray[np.bool_]", dims: int, neighbors: int, seed: int
) -> "NDArray[np.float32]":
    import numpy as np
    import umap

    reducer = umap.UMAP(
        n_components=dims, n_neighbors=neighbors, min_dist=0.0, metric="cosine", random_state=seed, n_jobs=1
    )
    projected_nd = np.empty((len(rows_nd), dims), dtype=np.float32)
    projected_nd[fitted_n] = reducer.fit_transform(rows_nd[fitted_n])
    if not fitted_n.all():
        projected_nd[~fitted_n] = reducer.transform(rows_nd[~fitted_n])
    return projected_nd


def _require_effect(given: Values, values: Values) -> None:
    for name in ("umap_neighbors", "seed"):
        if name in given and not values["umap_dims"]:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag}: has no effect with --umap-dims 0, which leaves UMAP out; leave it out too")


METHOD = Method(
    "hdbscan",
    "HDBSCAN after UMAP: dense groups, and noise",
    (
        Option("umap_dims", int, "Dimensions after UMAP; 0 leaves UMAP out.", default=15, least=0),
        Option("umap_neighbors", int, "Number of neighbors that UMAP looks at.", default=15, least=2),
        Option("min_cluster_size", int, "Smallest group that counts as a cluster.", default=15, least=2),
        Option(
            "noise",
            Literal["separate", "nearest", "own"],
            "Rows in no cluster: 'separate' labels them -1, and each is as rare as a cluster of size 1; 'nearest' adds "
            "them to the most similar cluster; 'own' numbers each as a cluster.",
            default="separate",
        ),
        SEED,
    ),
    hdbscan,
    libraries=("hdbscan", "umap-learn"),
    results=2,  # 2: noise has size 1 instead of that of one large cluster
    fitted_copies=3.0,  # as directions, those of the fitted rows, and in float64 or as UMAP's own
    is_bounded=False,
    require_effect=_require_effect,
)
