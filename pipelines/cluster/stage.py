"""Entry point of ``cluster``."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import NOISE, StagePlan, StageResult, canonical_split, first_few
from pipelines.artifacts.files import nearest
from pipelines.artifacts.needs import announce
from pipelines.artifacts.opening import parquet_files
from pipelines.artifacts.writers import one_writer
from pipelines.cluster.clustering import Clustering
from pipelines.cluster.duplicates import describe_duplicates
from pipelines.cluster.labels import write_labels
from pipelines.cluster.method import Samples, Values
from pipelines.cluster.methods import DEFAULT, METHODS
from pipelines.cluster.products import device_here, memory_of, products_on
from pipelines.cluster.subject import Subject, What, subject_of
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.remote import located

_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("cluster", pa.int32()),
        ("cluster_size", pa.int64()),
        ("similarity", pa.float32()),
    ]
)


@one_writer
def cluster(
    source: Path | str,
    output: Path | str,
    *,
    method: str = DEFAULT,
    by: str = "text",
    annotations: Path | str | None = None,
    media: Path | str | None = None,
    media_weight: float | None = None,
    fit_split: str | None = None,
    engine: Engine = LOCAL,
    device: str = "cpu",
    force: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> StageResult:
    """Cluster samples and count how many training samples each cluster holds.

    Clusters are of texts, of media, or of both. A medium is fitted once, however many samples share it, and counts as
    many times as it has training samples: a size is the same thing whatever it was made from.

    Args:
        source: Embeddings file (``kmeans``, ``knn``, ``hdbscan``), or annotations file (``class``); for ``by="media"``
            a features file.
        output: Clusters file to write: ``sample_id``, ``cluster`` (-1: noise), ``cluster_size`` (fitted samples of the
            cluster; 1 for noise), ``similarity`` (cosine to the centroid; null where there is none: for noise, ``knn``
            and ``class``). For ``knn`` each sample has a cluster of its own, and its size is that of the neighborhood.
        method: ``kmeans``, ``knn``, ``hdbscan`` or ``class``; see ``METHODS`` in `pipelines.cluster.methods`.
        by: ``text``; ``media``; or ``joint``, both in one vector, see `pipelines.cluster.geometry.joined`.
        annotations: Annotations file, whose texts label the clusters, see `write_labels`; for media and joint also its
            rows are the samples, and it says which medium and which split each has.
        media: Features file, for joint.
        media_weight: Share of the media in the similarity of a joint clustering, 0 to 1; 0.5 if None.
        fit_split: Split to fit on and to count; ``train`` where the file has such rows, else all, if None.
        engine: Where each row's cluster is found, for ``kmeans``, ``knn`` and ``class``; clusters are fitted in this
            process.
        device: ``cpu``, ``cuda`` or ``cuda:N``, for ``kmeans`` and ``knn``: where matrix products are made. The file is
            the same. With Ray each worker takes a GPU; what this process does is done on its own, if there is one.
        force: Cluster even if the output is up to date.
        progress: Is told what memory and disk will be needed, where that is much.
        **options: Options of the method, by the names in its ``options``: for ``kmeans`` ``k``, ``seed``, ``niter``,
            ``levels``, ``spherical``, ``max_points_per_centroid``; for ``knn`` ``neighbors``; for ``hdbscan``
            ``umap_dims``, ``umap_neighbors``, ``min_cluster_size``, ``noise``, ``seed``; for ``class`` ``columns``.
            None is the default.

    Returns:
        The summary is `Clustering.describe`, ``rows``, ``fitted_rows``, figures of duplicates and of noise, and
        ``labels``: the file beside the output that says what is in each cluster, where there are annotations.

    Raises:
        InputError: An input or option can't be used, or an option is another method's.
    """
    source, output = located(source), located(output)
    if method not in METHODS:
        raise InputError(f"--method {method}: expected one of {', '.join(METHODS)}{nearest(method, list(METHODS))}")
    chosen = METHODS[method]
    values = chosen.values(options, tuple(METHODS.values()))
    if engine.name != "local" and not chosen.has_engines:
        raise InputError(f"--engine {engine.name}: --method {method} is done in one process; leave it out")
    if device != "cpu" and not chosen.has_devices:
        raise InputError(f"--device {device}: --method {method} is done on cores; leave it out")
    here = device_here(device, engine)
    what = What(by=by, annotations=annotations, media=media, media_weight=media_weight)
    subject = subject_of(chosen, source, what)
    if subject.annotations is not None:
        parquet_files(subject.annotations)  # before the work that its texts label
    plan = cluster_plan(subject, output, values, fit_split)
    result = plan.finished(force=force)
    if result is None:
        where: dict[str, Any] = {"engine": engine} if chosen.has_engines else {}
        where |= {"device": device} if chosen.has_devices else {}
        connected = engine.connected(device=device, progress=progress)
        with connected, memory_of(device), products_on(here).in_float32():  # before the work that needs it
            announce(progress.note, subject.needs(values, device=here), output.parent)
            fitted = read_fitted(subject, values, fit_split, output.parent)
            of_items = chosen.fit(fitted.samples.content, fitted.count_m, **values, **where)
        result = write_clustering(plan, fitted, of_items, source)
    if (texts := subject.text_file) is None:
        return result
    labels = write_labels(output, texts, split_file=subject.split_file, fit_split=fit_split, force=force)
    return replace(result, summary={**result.summary, "labels": str(labels)})


@dataclass(frozen=True)
class Fitted:
    """Samples that are read, and which of them clusterings are fitted on.

    Attributes:
        samples: The samples, n of them, of m items.
        fitted_n: (n,) which are fitted on, and counted.
        count_m: (m,) fitted samples of each item.
    """

    samples: Samples
    fitted_n: NDArray[np.bool_]
    count_m: NDArray[np.int64]

    def of_samples(self, clustering: Clustering) -> Clustering:
        """The clustering of the samples that follows from one of the items."""
        return clustering if self.samples.item_n is None else clustering.take(self.samples.item_n)

    def table(self, clustering: Clustering) -> pa.Table:
        """A clustering of the samples as `CLUSTERS`."""
        similarity = clustering.similarity_n
        return pa.table(
            {
                "sample_id": self.samples.ids,
                "cluster": clustering.cluster_n.astype(np.int32),
                "cluster_size": clustering.sizes(self.fitted_n),
                "similarity": pa.nulls(len(self.samples.ids), pa.float32())
                if similarity is None
                else pa.array(similarity, from_pandas=True),  # NaN, of noise, is null
            },
            schema=_SCHEMA,
        )


def read_fitted(subject: Subject, values: Values, fit_split: str | None, scratch: Path | None) -> Fitted:
    """Read what is clustered; vectors that are too large for memory are on the disk, in the folder ``scratch``.

    Raises:
        InputError: A file can't be used, or the split asked for has no rows.
    """
    samples = subject.read(values, scratch)
    fitted_n = fitted_rows(samples.split, len(samples.ids), fit_split, subject.split_file)
    count_m = fitted_n.astype(np.int64)
    if samples.item_n is not None:
        count_m = np.bincount(samples.item_n[fitted_n], minlength=len(samples.content))
    return Fitted(samples, fitted_n, count_m)


def cluster_plan(subject: Subject, output: Path, values: Values, fit_split: str | None) -> StagePlan:
    """The plan of one clusters file.

    Raises:
        InputError: An input can't be read, or the output can't be written.
    """
    return StagePlan(
        "cluster",
        output,
        {
            **{"method": subject.method.name, "fit_split": fit_split},
            **subject.parameters,
            **subject.method.recorded(values),
        },
        subject.inputs,
        seed=values.get("seed"),
        libraries=(*subject.method.libraries, "numpy", "pyarrow"),
        foreign=("features",),
        results=subject.method.results,
    )


def write_clustering(plan: StagePlan, fitted: Fitted, of_items: Clustering, source: Path) -> StageResult:
    """Write the clusters file of a plan.

    Args:
        plan: Its plan.
        fitted: What was clustered.
        of_items: The clusters of the items.
        source: Where they come from, for the warning about noise.
    """
    fitted_n, clustering = fitted.fitted_n, fitted.of_samples(of_items)
    table = fitted.table(clustering)
    noise_n = clustering.cluster_n == NOISE
    with plan.writer(_SCHEMA) as writer:
        writer.summary = {
            "rows": table.num_rows,
            "fitted_rows": int(fitted_n.sum()),
            **describe_duplicates(fitted.samples, fitted.count_m),
            **clustering.describe(fitted_n),
        }
        if noise_n.any():
            writer.summary |= {"noise_rows": int(noise_n.sum()), "fitted_noise_rows": int((noise_n & fitted_n).sum())}
            warnings.warn(
                f"{source}: {noise_n.sum():,} of {table.num_rows:,} rows are noise, in no cluster: each counts as a "
                "cluster of size 1, so as rare; --noise nearest or own would number them",
                stacklevel=3,
            )
        writer.write(table)
    return StageResult(plan.output, False, writer.summary)


def fitted_rows(split: pa.ChunkedArray | None, rows: int, fit_split: str | None, path: Path) -> NDArray[np.bool_]:
    """(n,) which rows a clustering is fitted on: those of a split, by default of ``train``, or with a warning all.

    Raises:
        InputError: The split asked for has no rows.
    """
    if split is None:
        if fit_split is not None:
            raise InputError(f"{path}: has no column 'split', so --fit-split {fit_split} can't be used; leave it out")
        return np.ones(rows, dtype=np.bool_)
    wanted = pc.fill_null(pc.equal(split, canonical_split(fit_split or "train")), False)
    if pc.any(wanted).as_py():
        return np.asarray(wanted.to_numpy())
    present = first_few(sorted(str(name) for name in split.unique().to_pylist()))
    if fit_split is not None:
        raise InputError(f"{path}: no rows of split '{fit_split}'; splits there: {present}")
    warnings.warn(
        f"{path}: no rows of split 'train' (splits there: {present}), so all rows are fitted and counted, those for "
        "testing too; choose a split with --fit-split",
        stacklevel=3,
    )
    return np.ones(rows, dtype=np.bool_)
