"""The columns of every Parquet file the stages exchange."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Kind:
    """One kind of artifact.

    Attributes:
        name: What messages and ``mmts inspect`` call it.
        key: The column that names a row.
        columns: Required columns and the type they are read as.
        optional: Columns read with this type where they are present.
        unique: Whether ``key`` may occur only once.
    """

    name: str
    key: str
    columns: dict[str, pa.DataType]
    optional: dict[str, pa.DataType] = field(default_factory=dict)
    unique: bool = True


ANNOTATIONS = Kind(
    "annotations",
    "sample_id",
    {"sample_id": pa.string(), "text": pa.large_string()},  # an array of `string` ends at 2 GiB
    {
        "media_id": pa.string(),
        "media": pa.large_string(),
        "video_id": pa.string(),
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "split": pa.string(),
    },
)
EMBEDDINGS = Kind("embeddings", "sample_id", {"sample_id": pa.string()}, {"split": pa.string()})
FEATURES = Kind("features", "media_id", {"media_id": pa.string()}, {"split": pa.string()})
CLUSTERS = Kind(
    "clusters",
    "sample_id",
    {"sample_id": pa.string(), "cluster": pa.int32(), "cluster_size": pa.int64()},
    {"similarity": pa.float32()},
)
LABELS = Kind(
    "labels",
    "cluster",
    {
        "cluster": pa.int32(),
        "cluster_size": pa.int64(),
        "words": pa.list_(pa.string()),
        "texts": pa.list_(pa.string()),
    },
)
SHIFTS = Kind(
    "shifts",
    "sample_id",
    {"sample_id": pa.string(), "shift": pa.float32(), "cluster_size": pa.int64()},
)
STEPS = Kind(
    "steps",
    "step",
    {
        "step": pa.int64(),
        "epoch": pa.int64(),
        "loss": pa.float64(),
        "learning_rate": pa.float64(),
        "temperature_min": pa.float64(),
        "temperature_mean": pa.float64(),
        "temperature_max": pa.float64(),
        "gradient_norm": pa.float64(),
    },
)
RANKS = Kind(
    "ranks",
    "query_id",
    {
        "query_id": pa.string(),
        "direction": pa.string(),
        "rank": pa.int64(),
        "cluster_size": pa.float64(),
        "third": pa.string(),
    },
    {
        "media_id": pa.string(),
        "tied": pa.bool_(),
        "fold": pa.int64(),
        "tail_class": pa.bool_(),
        "class": pa.string(),
        "predicted": pa.string(),
        "shots": pa.string(),
    },
    unique=False,
)
CLASSES = Kind(
    "classes",
    "class",
    {
        "class": pa.string(),
        "text": pa.string(),
        "train_count": pa.float64(),
        "test_count": pa.int64(),
        "shots": pa.string(),
        "top-1": pa.float64(),
        "top-5": pa.float64(),
        "confused_with": pa.string(),
        "confused_count": pa.int64(),
    },
)
MISSES = Kind(
    "misses",
    "query_id",
    {
        "query_id": pa.string(),
        "direction": pa.string(),
        "right": pa.string(),
        "similarity": pa.float32(),
        "retrieved": pa.list_(pa.string()),
        "similarities": pa.list_(pa.float32()),
    },
    unique=False,
)
RELEVANCY = Kind(
    "relevancy",
    "key",
    {
        "key": pa.int32(),
        "verb_class": pa.int32(),
        "noun_classes": pa.list_(pa.int32()),
        "sample_ids": pa.list_(pa.string()),
    },
)

FREQUENCY = Kind("frequency", "sample_id", {"sample_id": pa.string(), "cluster_size": pa.float64()})
_RUN = dict.fromkeys(("run", "strategy", "loss"), pa.string())
SWEEP = Kind("sweep", "run", {**_RUN, **dict.fromkeys(("stage", "split", "failed", "settings"), pa.string())})
FRONTIER = Kind("frontier", "run", {**_RUN, "on_front": pa.bool_(), "best_for": pa.string()})
_FIGURES = ("rank_correlation", "correlation", "changed_thirds", "adjusted_rand", "gini", "silhouette")
ADVICE = Kind(
    "advice",
    "k",
    {
        **dict.fromkeys(("k", "averaged", "pairs"), pa.int64()),
        **{f"{name}{end}": pa.float64() for name in _FIGURES for end in ("", "_low", "_high")},
    },
    unique=False,
)

KINDS = (
    ANNOTATIONS,
    EMBEDDINGS,
    FEATURES,
    CLUSTERS,
    LABELS,
    SHIFTS,
    STEPS,
    RANKS,
    CLASSES,
    MISSES,
    RELEVANCY,
    FREQUENCY,
    SWEEP,
    FRONTIER,
    ADVICE,
)


def kind_of(names: Sequence[str]) -> str | None:
    """Name of the kind whose columns a file has; the one with the most, where several fit. None where none does.

    Args:
        names: Names of the file's columns.
    """
    vectors = "embedding" in names
    fitting = [
        kind
        for kind in KINDS
        if set(kind.columns) <= set(names) and (vectors or kind.name not in ("embeddings", "features"))
    ]
    return max(fitting, key=lambda kind: len(kind.columns)).name if fitting else None
