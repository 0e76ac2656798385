"""Reading clusters, where a sample in no cluster is rare."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts.ids import align
from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.schemas import CLUSTERS, Kind

NOISE = -1  # the cluster of a sample that is in none

_SIZES = Kind(
    "clusters or shifts",
    "sample_id",
    {"sample_id": pa.string(), "cluster_size": pa.float64()},
    {"cluster": CLUSTERS.columns["cluster"]},
)


def read_clusters(path: Path) -> pa.Table:
    """The columns ``sample_id``, ``cluster`` and ``cluster_size``, in which noise has size 1 whatever the file says.

    Noise is a cluster below 0, or null. Other tools, and mmts before it counted noise as rare, give it all the size of
    one large cluster.

    Raises:
        InputError: The file can't be used.
    """
    return _noise_of_size_1(read_table(path, CLUSTERS, columns=list(CLUSTERS.columns)))


def read_cluster_sizes(path: Path, sample_ids: pa.ChunkedArray) -> NDArray[np.float64]:
    """Training cluster size of each sample ``(n,)``, from a clusters or a shifts file.

    Raises:
        InputError: The file can't be used, or samples are missing there.
    """
    table = read_sizes(path)
    rows = align(sample_ids, table.column("sample_id"), what="samples", path=path)
    sizes: NDArray[np.float64] = table.column("cluster_size").to_numpy()[rows]
    return sizes


def read_sizes(path: Path) -> pa.Table:
    """The columns ``sample_id`` and ``cluster_size``, float64, of a clusters or a shifts file; noise has size 1.

    Raises:
        InputError: The file can't be used.
    """
    table = read_table(path, _SIZES)
    if "cluster" in table.column_names:
        table = _noise_of_size_1(table)
    return table.select(["sample_id", "cluster_size"])


def has_noise(path: Path) -> bool:
    """Whether a clusters file has samples in no cluster.

    Raises:
        InputError: The file can't be used.
    """
    cluster = read_table(path, CLUSTERS, columns=["cluster"]).column("cluster")
    return bool(cluster.null_count or pc.min(cluster).as_py() < 0)


def noise_apart(cluster_n: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The clusters ``(n,)`` with each sample of noise as a cluster of its own."""
    noise_n = cluster_n < 0
    apart_n = cluster_n.astype(np.int64)
    apart_n[noise_n] = cluster_n.max(initial=NOISE) + 1 + np.arange(noise_n.sum())
    return apart_n


def gini(sizes: NDArray[np.integer[Any]]) -> float:
    """Gini coefficient of the sizes ``(k,)`` of clusters: 0 where all are of one size, toward 1 the longer the tail."""
    sizes, k = np.sort(sizes), len(sizes)
    return float((2 * np.arange(1, k + 1) - k - 1) @ sizes / (k * sizes.sum()))


def gini_of_samples(size_n: NDArray[np.integer[Any]]) -> float:
    """Gini coefficient of clusters, from the sizes ``(n,)``, above 0, of the clusters of n samples, see `gini`.

    Where clusters overlap, that of clusters that don't, in which each of a cluster's n samples is 1/n of it.
    """
    size_n, n = np.sort(size_n), len(size_n)
    share_n = 1 / size_n / (1 / size_n).sum()
    below_n = (np.arange(1, n + 1) - 0.5) / n  # samples in smaller clusters: the Lorenz curve
    return float(1 - 2 * share_n @ below_n)


def _noise_of_size_1(table: pa.Table) -> pa.Table:
    cluster, size = table.column("cluster").fill_null(NOISE), table.column("cluster_size")
    rare = pc.if_else(pc.less(cluster, 0), pa.scalar(1, size.type), size)
    table = table.set_column(table.column_names.index("cluster"), "cluster", cluster)
    return table.set_column(table.column_names.index("cluster_size"), "cluster_size", rare)
