"""The long tail: clusters by size, with the shifts of their samples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts import gini, noise_apart, read_clusters, read_shifts
from pipelines.errors import InputError
from pipelines.scores.thirds import frequency_edges, frequency_third
from pipelines.views.pictured import Pictured


@dataclass(frozen=True, eq=False)
class ClusterShifts:
    """The shifts of each cluster's samples, in units of temperature or margin.

    Those of one cluster differ where the shifts are a mean over several clusterings.

    Attributes:
        minimum_k: Smallest shift in each of k clusters ``(k,)``.
        mean_k: Their mean ``(k,)``.
        maximum_k: Largest ``(k,)``.
    """

    minimum_k: NDArray[np.float64]
    mean_k: NDArray[np.float64]
    maximum_k: NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Tail(Pictured):
    """Clusters, the largest first; of equal ones the lower number.

    Attributes:
        cluster_k: Number of each of k clusters ``(k,)``; -1 for a sample of noise, which is a cluster of its own.
        size_k: Training samples in each ``(k,)``.
        third_k: Third of the training samples that each belongs to ``(k,)``: 0 tail, 1 middle, 2 head.
        borders: Sizes at which the middle and the head third begin, see `frequency_edges`.
        gini: Gini coefficient of the sizes above 0: 0 where all are equal, toward 1 the longer the tail.
        shifts: Shifts of each cluster's samples; None where no shifts are given.
    """

    cluster_k: NDArray[np.int64]
    size_k: NDArray[np.int64]
    third_k: NDArray[np.int8]
    borders: tuple[float, float]
    gini: float
    shifts: ClusterShifts | None

    def __len__(self) -> int:
        return len(self.size_k)


def read_tail(clusters: Path | str, shifts: Path | str | None = None) -> Tail:
    """See the long tail of a clusters file.

    Args:
        clusters: Clusters file.
        shifts: Shifts file that has the same samples.

    Raises:
        InputError: A file can't be used, samples are missing in ``shifts``, or no cluster has a training sample.
    """
    clusters = Path(clusters)
    table = read_clusters(clusters)
    cluster_n = table.column("cluster").to_numpy()
    _, first_k, inverse_n = np.unique(noise_apart(cluster_n), return_index=True, return_inverse=True)
    size_k = table.column("cluster_size").to_numpy()[first_k]
    if not size_k.any():
        raise InputError(f"{clusters}: no cluster has a training sample; make the clusters again with `mmts cluster`")
    order = np.argsort(-size_k, kind="stable")
    borders = frequency_edges(np.repeat(size_k, size_k))
    of_clusters = None
    if shifts is not None:
        shift_n = read_shifts(Path(shifts), table.column("sample_id")).shift_n
        of_clusters = _cluster_shifts(shift_n, inverse_n, order)
    return Tail(
        cluster_n[first_k][order].astype(np.int64),
        size_k[order],
        frequency_third(size_k[order], borders),
        borders,
        gini(size_k[size_k > 0]),
        of_clusters,
    )


def _cluster_shifts(
    shift_n: NDArray[np.float64], cluster_n: NDArray[np.int64], order: NDArray[np.int64]
) -> ClusterShifts:
    mean_k = np.bincount(cluster_n, shift_n) / np.bincount(cluster_n)
    minimum_k, maximum_k = np.full(len(order), np.inf), np.full(len(order), -np.inf)
    np.minimum.at(minimum_k, cluster_n, shift_n)
    np.maximum.at(maximum_k, cluster_n, shift_n)
    return ClusterShifts(minimum_k[order], mean_k[order], maximum_k[order])
