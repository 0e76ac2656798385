"""k-means of the same samples with several numbers of clusters and seeds, in one pass over the data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import StagePlan, read_clusters
from pipelines.cluster.centroids import CentroidFit
from pipelines.cluster.clustering import Clustering
from pipelines.cluster.labels import labels_of, write_labels
from pipelines.cluster.method import Values
from pipelines.cluster.methods.kmeans import kmeans_seeds, training_rows
from pipelines.cluster.stage import Fitted, cluster_plan, read_fitted, write_clustering
from pipelines.cluster.subject import Subject


@dataclass
class Clusterings:
    """The clusterings of one subject, which is read once, when the first of them is made.

    Attributes:
        subject: What is clustered.
        values: Options of ``kmeans``; each clustering has its own ``k`` and ``seed`` in their place.
        fit_split: As for `pipelines.cluster.cluster`.
        scratch: A folder for vectors that are too large for memory.
        folder: Where a file of each is kept; None to keep none.
        force: Make files again that are up to date.
    """

    subject: Subject
    values: Values
    fit_split: str | None
    scratch: Path
    folder: Path | None = None
    force: bool = False

    @cached_property
    def fitted(self) -> Fitted:
        """What is clustered."""
        return read_fitted(self.subject, self.values, self.fit_split, self.scratch)

    def distinct(self, enough: int) -> int:
        """The number of distinct vectors to fit on, counted up to ``enough``."""
        training_md = training_rows(self.fitted.samples.content, self.fitted.count_m)
        return CentroidFit(self.values["niter"], self.values["spherical"]).count_distinct(training_md, stop=enough)

    def vectors(self, samples: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of some samples."""
        item_n = self.fitted.samples.item_n
        return np.asarray(self.fitted.samples.content[samples if item_n is None else item_n[samples]])

    def clusters(self, k: int, seeds: Sequence[int]) -> Iterator[NDArray[np.int64]]:
        """For each seed the cluster of each fitted sample.

        Where there is a folder, the file of each is written, or read if up to date. What is not there is fitted in one
        pass over the data an iteration.

        Raises:
            InputError: As `pipelines.cluster.cluster`.
        """
        if self.folder is None:
            for of_items in self._cluster(k, seeds):
                yield self.fitted.of_samples(of_items).cluster_n[self.fitted.fitted_n]
            return
        plans = {seed: self._plan(self.folder, self._values(k, seed)) for seed in seeds}
        missing = [seed for seed, plan in plans.items() if plan.finished(force=self.force) is None]
        made = self._cluster(k, missing) if missing else iter([])
        for seed, plan in plans.items():
            if seed in missing:
                write_clustering(plan, self.fitted, next(made), self.subject.source)
            yield read_clusters(plan.output).column("cluster").to_numpy().astype(np.int64)[self.fitted.fitted_n]

    def up_to_date(self, folder: Path, ks: Sequence[int], seeds: int) -> bool:
        """Whether a folder has the files of all these clusterings."""
        plans = (self._plan(folder, self._values(k, seed)) for k in ks for seed in range(seeds))
        return all(plan.finished(force=self.force) is not None for plan in plans)

    def label(self, folder: Path, ks: Sequence[int], seeds: int) -> None:
        """Write the labels of the files in a folder beside them, where there are annotations with texts."""
        if (texts := self.subject.text_file) is not None:
            for k in ks:
                for seed in range(seeds):
                    write_labels(
                        folder / file_name(k, seed),
                        texts,
                        split_file=self.subject.split_file,
                        fit_split=self.fit_split,
                        force=self.force,
                    )

    def labels(self, k: int) -> pa.Table | None:
        """The labels of the first clustering of k clusters; None without annotations with texts."""
        if (texts := self.subject.text_file) is None:
            return None
        clustering = self.fitted.of_samples(next(self._cluster(k, [0])))
        return labels_of(self.fitted.table(clustering), texts, self.subject.split_file, self.fit_split)

    def _values(self, k: int, seed: int) -> dict[str, Any]:
        return {**self.values, "k": k, "seed": seed}

    def _plan(self, folder: Path, values: Values) -> StagePlan:
        return cluster_plan(self.subject, folder / file_name(values["k"], values["seed"]), values, self.fit_split)

    def _cluster(self, k: int, seeds: Sequence[int]) -> Iterator[Clustering]:
        how = {name: value for name, value in self.values.items() if name not in ("k", "seed")}
        return kmeans_seeds(self.fitted.samples.content, self.fitted.count_m, k=k, seeds=seeds, **how)


def file_name(k: int, seed: int) -> str:
    """What the file of a clustering is called in the folder of a sweep."""
    return f"k{k}-seed{seed}.parquet"
