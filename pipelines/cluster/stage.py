"""Entry point of ``cluster``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import Kind, StagePlan, StageResult, open_parquet, read_table, read_vectors
from pipelines.artifacts.files import nearest
from pipelines.artifacts.writers import one_writer
from pipelines.cluster.classes import class_clusters
from pipelines.cluster.clustering import NOISE, Clustering, describe_sizes, fitted_sizes
from pipelines.cluster.density import hdbscan
from pipelines.cluster.kmeans import kmeans
from pipelines.errors import InputError

_LARGEST_SEED = 2**31 - 1  # faiss holds it in a C int
METHODS = ("kmeans", "hdbscan", "class")
_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("cluster", pa.int32()),
        ("cluster_size", pa.int64()),
        ("similarity", pa.float32()),
    ]
)
_LIBRARIES = {"kmeans": ("faiss-cpu",), "hdbscan": ("hdbscan", "umap-learn"), "class": ()}


@one_writer
def cluster(
    source: Path | str,
    output: Path | str,
    *,
    method: str = "kmeans",
    k: int | None = None,
    seed: int = 0,
    niter: int = 20,
    spherical: bool = True,
    max_points_per_centroid: int | None = None,
    umap_dims: int = 15,
    umap_neighbors: int = 15,
    min_cluster_size: int = 15,
    noise: str = "separate",
    columns: Sequence[str] = (),
    fit_split: str | None = None,
    force: bool = False,
) -> StageResult:
    """Cluster samples and count how many training samples each cluster holds.

    Args:
        source: Embeddings file (``kmeans``, ``hdbscan``), or annotations file (``class``).
        output: Clusters file to write: ``sample_id``, ``cluster``, ``cluster_size`` (fitted samples of the cluster),
            ``similarity`` (cosine to the centroid; null for classes).
        method: ``kmeans``, ``hdbscan`` or ``class``.
        k: Number of clusters, for ``kmeans``.
        seed: Seed of ``kmeans`` and of UMAP.
        niter: Iterations of ``kmeans``.
        spherical: Cosine similarity in ``kmeans``; Euclidean distance if False.
        max_points_per_centroid: Bound on the rows ``kmeans`` fits on; all rows if None.
        umap_dims: Dimensions HDBSCAN sees; 0 for no UMAP.
        umap_neighbors: Neighbours UMAP looks at.
        min_cluster_size: The smallest group HDBSCAN calls a cluster.
        noise: ``separate``, ``nearest`` or ``own``: what becomes of rows in no cluster (see ``density.hdbscan``).
        columns: For ``class``: the column that is the clustering; several make combinations.
        fit_split: Split to fit on and to count; ``train`` where the file has such rows, else all, if None.
        force: Cluster even if the output is up to date.

    Raises:
        InputError: An input or option can't be used.
    """
    source, output = Path(source), Path(output)
    if not 0 <= seed <= _LARGEST_SEED:
        raise InputError(f"--seed {seed}: expected 0 to {_LARGEST_SEED}")
    options: dict[str, Any]
    if method == "kmeans":
        if k is None:
            raise InputError("--method kmeans needs --k, the number of clusters (the paper takes 200 for YouCook2)")
        if niter < 1:
            raise InputError(f"--niter {niter}: expected at least 1")
        if max_points_per_centroid is not None and max_points_per_centroid < 1:
            raise InputError(f"--max-points-per-centroid {max_points_per_centroid}: expected at least 1")
        options = {
            "k": k,
            "seed": seed,
            "niter": niter,
            "spherical": spherical,
            "max_points_per_centroid": max_points_per_centroid,
        }
    elif method == "hdbscan":
        options = {
            "umap_dims": umap_dims,
            "umap_neighbors": umap_neighbors,
            "min_cluster_size": min_cluster_size,
            "noise": noise,
            "seed": seed,
        }
    elif method == "class":
        if not columns:
            raise InputError("--method class needs --column, the column that holds the class")
        options = {"columns": list(columns)}
    else:
        raise InputError(f"--method {method}: expected one of {', '.join(METHODS)}{nearest(method, list(METHODS))}")

    plan = StagePlan(
        "cluster",
        output,
        {"method": method, "fit_split": fit_split, **{key: options[key] for key in options if key != "seed"}},
        {"annotations" if method == "class" else "embeddings": source},
        seed=options.get("seed"),
        libraries=(*_LIBRARIES[method], "numpy", "pyarrow"),
    )
    if done := plan.finished(force=force):
        return done
    ids, fitted_n, clustering = _run(source, method, options, fit_split)
    size_n = fitted_sizes(clustering.cluster_n, fitted_n)
    similarity = clustering.similarity_n
    table = pa.table(
        {
            "sample_id": ids,
            "cluster": clustering.cluster_n.astype(np.int32),
            "cluster_size": size_n,
            "similarity": pa.nulls(len(size_n), pa.float32()) if similarity is None else similarity,
        },
        schema=_SCHEMA,
    )
    with plan.writer(_SCHEMA) as writer:
        writer.summary = {
            "rows": len(size_n),
            "fitted_rows": int(fitted_n.sum()),
            **describe_sizes(clustering.cluster_n, fitted_n & (clustering.cluster_n != NOISE)),
        }
        if method == "hdbscan":
            writer.summary["noise_rows"] = int((clustering.cluster_n == NOISE).sum())
        writer.write(table)
    return StageResult(output, False, writer.summary)


def _run(
    source: Path, method: str, options: dict[str, Any], fit_split: str | None
) -> tuple[pa.ChunkedArray, NDArray[np.bool_], Clustering]:
    if method == "class":
        columns = options["columns"]
        table = read_table(source, _CLASSES, columns=_class_columns(source, columns))
        split = table.column("split").cast(pa.string()) if "split" in table.column_names else None
        fitted_n = fitted_rows(split, table.num_rows, fit_split, source)
        return table.column("sample_id"), fitted_n, class_clusters(table, columns, source)
    vectors = read_vectors(source, id_column="sample_id")
    fitted_n = fitted_rows(vectors.split, len(vectors.ids), fit_split, source)
    run = kmeans if method == "kmeans" else hdbscan
    return vectors.ids, fitted_n, run(vectors.matrix_nd, fitted_n, **options)


_CLASSES = Kind("annotations", "sample_id", {"sample_id": pa.string()})


def _class_columns(source: Path, columns: list[str]) -> list[str]:
    with open_parquet(source) as file:
        has_split = "split" in file.schema_arrow.names
    return ["sample_id", *dict.fromkeys(columns), *(["split"] if has_split and "split" not in columns else [])]


def fitted_rows(split: pa.ChunkedArray | None, rows: int, fit_split: str | None, path: Path) -> NDArray[np.bool_]:
    """(n,) which rows a clustering is fitted on.

    Raises:
        InputError: The split asked for has no rows.
    """
    if split is None:
        if fit_split is not None:
            raise InputError(f"{path}: has no column 'split', so --fit-split {fit_split} can't be taken")
        return np.ones(rows, dtype=np.bool_)
    names = split.to_numpy()
    wanted = names == (fit_split or "train")
    if fit_split is not None and not wanted.any():
        present = sorted({str(name) for name in names})
        raise InputError(f"{path}: no rows of split '{fit_split}'; splits there: {', '.join(present)}")
    return wanted if wanted.any() else np.ones(rows, dtype=np.bool_)
