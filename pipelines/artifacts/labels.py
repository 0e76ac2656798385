"""Labels of clusters, in a file beside them."""

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts.parquet import read_table
from pipelines.artifacts.provenance import fingerprint_of, read_provenance
from pipelines.artifacts.schemas import LABELS
from pipelines.remote import fetch


def labels_path(clusters: Path) -> Path:
    """Where the labels of a clusters file are: ``clusters.labels.parquet`` beside ``clusters.parquet``."""
    return clusters.with_name(f"{clusters.name.removesuffix('.parquet')}.labels.parquet")


def read_labels(clusters: Path) -> pa.Table | None:
    """The labels of a clusters file, as `LABELS` has them, largest cluster first.

    Returns:
        None where there are none beside it, or with a warning where they belong to other clusters than those there now.

    Raises:
        InputError: One of the two files can't be read.
    """
    path = fetch(labels_path(clusters))
    if not path.exists():
        return None
    provenance = read_provenance(path)
    if (
        provenance is None
        or provenance.stage != "labels"
        or provenance.inputs["clusters"]["fingerprint"] != fingerprint_of(clusters)
    ):
        warnings.warn(
            f"{path}: not made from the clusters that are now in {clusters.name}, so not shown; "
            "`mmts cluster` with --annotations makes them again",
            stacklevel=2,
        )
        return None
    return read_table(path, LABELS)


def largest_and_smallest(labels: pa.Table, count: int) -> dict[str, Any]:
    """Of labels, largest cluster first, those of the largest and of the smallest clusters, each cluster once.

    Returns:
        ``clusters``, how many there are, and up to ``count`` labels of the ``largest`` and of the ``smallest``.
    """
    return {
        "clusters": labels.num_rows,
        "largest": labels.slice(0, count).to_pylist(),
        "smallest": labels.slice(max(count, labels.num_rows - count)).to_pylist(),
    }
