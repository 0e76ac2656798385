"""The long tail: clusters, or neighborhoods of samples, by size, with the shifts of their samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import (
    gini_of_samples,
    noise_apart,
    read_annotations,
    read_clusters,
    read_shifts,
)
from pipelines.errors import InputError
from pipelines.remote import located
from pipelines.scores.thirds import frequency_edges, frequency_third
from pipelines.views.pictured import Pictured
from pipelines.words import counted


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
    """Clusters, the largest first; of equal ones the lower number; those that training doesn't have last.

    Where clusters overlap, as those of ``mmts cluster --method knn``, each is the neighborhood of one sample.

    Attributes:
        cluster_k: Number of each of k clusters ``(k,)``; -1 for a sample of noise, which is a cluster of its own.
        size_k: Training samples in each ``(k,)``.
        third_k: Third of the training samples that each belongs to ``(k,)``: 0 tail, 1 middle, 2 head.
        borders: Sizes at which the middle and the head third begin, see `frequency_edges`.
        gini: Gini coefficient of the sizes that training has, see `gini_of_samples`: 0 where all are equal, toward 1
            the longer the tail.
        shifts: Shifts of each cluster's samples; None where no shifts are given.
        seen: How many training has, the first of the k: clusters with training samples, neighborhoods of such.
        centers: Whose neighborhoods these are: ``training samples``, or ``samples`` where the split isn't known; None
            for clusters that don't overlap.
    """

    cluster_k: NDArray[np.int64]
    size_k: NDArray[np.int64]
    third_k: NDArray[np.int8]
    borders: tuple[float, float]
    gini: float
    shifts: ClusterShifts | None
    seen: int
    centers: str | None = None

    @property
    def samples_k(self) -> NDArray[np.int64]:
        """How many training samples each stands for ``(k,)``: those in a cluster, the one of a neighborhood."""
        return self.size_k if self.centers is None else (np.arange(len(self)) < self.seen).astype(np.int64)

    @property
    def noun(self) -> str:
        """What each of them is called: ``cluster`` or ``neighborhood``."""
        return "cluster" if self.centers is None else "neighborhood"

    def counted(self, count: int) -> str:
        """So many of them in words: ``5 clusters``, ``5 training samples``."""
        return counted(count, "cluster" if self.centers is None else self.centers.removesuffix("s"))

    def __len__(self) -> int:
        return len(self.size_k)


def read_tail(clusters: Path | str, shifts: Path | str | None = None, annotations: Path | str | None = None) -> Tail:
    """See the long tail of a clusters file.

    Args:
        clusters: Clusters file.
        shifts: Shifts file that has the same samples.
        annotations: Annotations file. Where clusters overlap, it says which samples are training samples, those of
            split ``train``; else all that have training samples near count.

    Raises:
        InputError: A file can't be used, samples are missing in ``shifts``, or no cluster has a training sample.
    """
    clusters = located(clusters)
    table = read_clusters(clusters)
    cluster_n, size_n = table.column("cluster").to_numpy(), table.column("cluster_size").to_numpy()
    apart_n, centers, train_n = noise_apart(cluster_n), None, None
    if overlap(cluster_n, size_n):
        apart_n = np.arange(len(apart_n))
        train_n = None if annotations is None else _train(table.column("sample_id"), located(annotations))
        centers = "samples" if train_n is None else "training samples"
    _, first_k, inverse_n = np.unique(apart_n, return_index=True, return_inverse=True)
    size_k = size_n[first_k]
    seen_k = size_k > 0 if train_n is None else (size_k > 0) & train_n
    if not seen_k.any():
        raise InputError(f"{clusters}: no cluster has a training sample; make the clusters again with `mmts cluster`")
    order = np.lexsort((-size_k, ~seen_k))
    of_samples = np.repeat(size_k[seen_k], size_k[seen_k]) if centers is None else size_k[seen_k]
    borders = frequency_edges(of_samples)
    of_clusters = None
    if shifts is not None:
        shift_n = read_shifts(located(shifts), table.column("sample_id")).shift_n
        of_clusters = _cluster_shifts(shift_n, inverse_n, order)
    return Tail(
        cluster_n[first_k][order].astype(np.int64),
        size_k[order],
        frequency_third(size_k[order], borders),
        borders,
        gini_of_samples(of_samples),
        of_clusters,
        int(seen_k.sum()),
        centers,
    )


def overlap(cluster_n: NDArray[np.integer[Any]], size_n: NDArray[np.int64]) -> bool:
    """Whether clusters are neighborhoods, one a sample: whether one counts more training samples than have its number.

    Args:
        cluster_n: Cluster of each sample ``(n,)``, -1 for noise.
        size_n: Training samples in it ``(n,)``.
    """
    _, inverse_n, count_k = np.unique(noise_apart(cluster_n), return_inverse=True, return_counts=True)
    return bool((size_n > count_k[inverse_n]).any())


def _train(sample_ids: pa.ChunkedArray, annotations: Path) -> NDArray[np.bool_] | None:
    """Which samples are of split ``train``; None where the annotations don't tell."""
    table = read_annotations(annotations, texts=False)
    if "split" not in table.column_names:
        return None
    train = table.filter(pc.equal(table.column("split"), "train")).column("sample_id")
    train_n: NDArray[np.bool_] = pc.is_in(sample_ids, train).to_numpy()
    return train_n if train_n.any() else None


def _cluster_shifts(
    shift_n: NDArray[np.float64], cluster_n: NDArray[np.int64], order: NDArray[np.int64]
) -> ClusterShifts:
    mean_k = np.bincount(cluster_n, shift_n) / np.bincount(cluster_n)
    minimum_k, maximum_k = np.full(len(order), np.inf), np.full(len(order), -np.inf)
    np.minimum.at(minimum_k, cluster_n, shift_n)
    np.maximum.at(maximum_k, cluster_n, shift_n)
    return ClusterShifts(minimum_k[order], mean_k[order], maximum_k[order])
