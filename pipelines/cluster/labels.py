"""What is in each cluster: the words that set its texts apart, and the texts nearest to its centre."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import (
    ANNOTATIONS,
    CLUSTERS,
    LABELS,
    NOISE,
    StagePlan,
    align,
    canonical_split,
    labels_path,
    read_class_columns,
    read_table,
)
from pipelines.artifacts.strings import StringList

WORDS = 5
TEXTS = 3
_SCHEMA = pa.schema(LABELS.columns)


def write_labels(
    clusters: Path,
    annotations: Path,
    *,
    split_file: Path | None = None,
    fit_split: str | None = None,
    force: bool = False,
) -> Path:
    """Write the labels of a clusters file beside it, by the samples that the clusters were fitted on.

    Args:
        clusters: Clusters file.
        annotations: Annotations with the texts of its samples.
        split_file: The file that said which split a sample is of; the annotations if None.
        fit_split: The split that the clusters were fitted on, as in `cluster`.
        force: Write them even if they are up to date.

    Returns:
        The file: see `LABELS`, and `label_clusters` for what is in it.

    Raises:
        InputError: A file can't be used, or the annotations lack samples of the clusters.
    """
    plan = StagePlan(
        "labels",
        labels_path(clusters),
        {"fit_split": fit_split, "words": WORDS, "texts": TEXTS},
        {"clusters": clusters, "annotations": annotations},
        libraries=("scikit-learn", "pyarrow"),
    )
    if plan.finished(force=force):
        return plan.output
    labels = labels_of(read_table(clusters, CLUSTERS), annotations, split_file or annotations, fit_split)
    with plan.writer(_SCHEMA) as writer:
        writer.summary = {"rows": labels.num_rows}
        writer.write(labels)
    return plan.output


def labels_of(table: pa.Table, annotations: Path, split_file: Path, fit_split: str | None = None) -> pa.Table:
    """Label the clusters of a table, as `CLUSTERS`, by the texts of the samples that they were fitted on.

    Args:
        table: The clusters.
        annotations: As for `write_labels`, and so are the others.
        split_file: See there.
        fit_split: See there.

    Returns:
        As `label_clusters`.

    Raises:
        InputError: The annotations can't be used, or lack samples.
    """
    texts = read_table(annotations, ANNOTATIONS, without=ANNOTATIONS.optional.keys() - {"media_id"})
    if not table.column("sample_id").equals(texts.column("sample_id")):  # else a copy would be of no use
        rows = align(table.column("sample_id"), texts.column("sample_id"), what="samples", path=annotations)
        texts = texts.take(pa.array(rows))
    splits = read_class_columns(split_file, [])
    if "split" in splits.column_names:
        rows = align(table.column("sample_id"), splits.column("sample_id"), what="samples", path=split_file)
        fitted = pc.equal(splits.column("split").take(pa.array(rows)), canonical_split(fit_split or "train"))
        fitted = pc.fill_null(fitted, False)
        if pc.any(fitted).as_py() and not pc.all(fitted).as_py():  # of none, all were fitted, as `cluster` has said
            table, texts = table.filter(fitted), texts.filter(fitted)
    return label_clusters(
        StringList(pc.fill_null(texts.column("text"), "")),
        table.column("cluster").fill_null(NOISE).to_numpy(),
        table.column("cluster_size").to_numpy(),
        table.column("similarity").to_numpy() if "similarity" in table.column_names else None,
        _numbers(texts.column("media_id")) if "media_id" in texts.column_names else None,
    )


def _numbers(media_ids: pa.ChunkedArray) -> NDArray[np.float64]:
    """A number for each distinct id, NaN for null."""
    return np.asarray(media_ids.dictionary_encode().combine_chunks().indices.to_numpy(zero_copy_only=False), np.float64)


def label_clusters(
    texts: Sequence[str],
    cluster_n: NDArray[np.int32],
    size_n: NDArray[np.int64],
    similarity_n: NDArray[np.float32] | None = None,
    medium_n: NDArray[np.float64] | None = None,
) -> pa.Table:
    """Label clusters by their n texts.

    Args:
        texts: Text of each sample.
        cluster_n: (n,) cluster of each.
        size_n: (n,) size of that cluster.
        similarity_n: (n,) cosine similarity to its centroid, NaN where there is none. There the similarity of words
            stands in, see `ClassTfIdf.similarity`.
        medium_n: (n,) number of each one's medium, NaN where it has none, where several may share one.

    Returns:
        As `LABELS`, largest cluster first: ``words``, the five of largest weight by class-based TF-IDF (see
        `pipelines.cluster.ctfidf`), and ``texts``, the three nearest to the centroid that differ in their words, of
        different media where the cluster has as many.
    """
    import pandas as pd  # takes its time, as scikit-learn does

    from pipelines.cluster.ctfidf import ClassTfIdf, words_of

    clusters, first, inverse_n = np.unique(cluster_n, return_index=True, return_inverse=True)
    tfidf = ClassTfIdf.fit(texts, inverse_n, len(clusters))
    words = tfidf.top_words(WORDS)
    nearness_n = tfidf.similarity()
    if similarity_n is not None:
        nearness_n = np.where(np.isnan(similarity_n), nearness_n, similarity_n)
    order = np.argsort(-nearness_n, kind="stable")
    if medium_n is not None:  # the captions of one image are alike, and at one distance where images are clustered
        repeat = pd.DataFrame({"cluster": inverse_n[order], "medium": medium_n[order]}).groupby(["cluster", "medium"])
        order = order[np.argsort(repeat.cumcount().to_numpy(), kind="stable")]
    nearest: list[dict[tuple[str, ...], str]] = [{} for _ in clusters]
    for row in map(int, order):  # no list, which takes far more memory than the texts
        chosen = nearest[inverse_n[row]]
        if len(chosen) < TEXTS:
            chosen.setdefault(tuple(words_of(texts[row])) or (texts[row],), texts[row])
    by_size = np.argsort(-size_n[first], kind="stable")
    return pa.table(
        {
            "cluster": clusters[by_size],
            "cluster_size": size_n[first[by_size]],
            "words": [words[row] for row in by_size],
            "texts": [list(nearest[row].values()) for row in by_size],
        },
        schema=_SCHEMA,
    )
