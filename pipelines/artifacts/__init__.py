"""What the stages exchange: Parquet files with a schema, written whole or not at all, that say what made them.

from pipelines.artifacts import read_table, read_vectors

shifts = read_table("shifts.parquet", SHIFTS)      # pyarrow.Table, columns checked
embeddings = read_vectors("embeddings.parquet")    # ids and an (n, d) float32 matrix
"""

from pipelines.artifacts.annotations import read_annotations, require_texts, rows_of_split, with_media_ids
from pipelines.artifacts.classes import class_column, read_class_columns
from pipelines.artifacts.clips import CLIPS, Clips, clips_of, read_clips
from pipelines.artifacts.clusters import (
    NOISE,
    gini,
    gini_of_samples,
    has_noise,
    noise_apart,
    read_cluster_sizes,
    read_clusters,
)
from pipelines.artifacts.frequency import Frequency, frequency_file, mean_frequency, read_frequency
from pipelines.artifacts.ids import align, first_few, require_unique, shortened
from pipelines.artifacts.labels import labels_path, largest_and_smallest, read_labels
from pipelines.artifacts.opening import open_parquet
from pipelines.artifacts.parquet import ArtifactWriter, read_table
from pipelines.artifacts.plan import StagePlan, is_same_file, refuse_replacing_inputs
from pipelines.artifacts.provenance import Provenance, fingerprint_of, read_provenance
from pipelines.artifacts.result import StageResult
from pipelines.artifacts.schemas import (
    ADVICE,
    ANNOTATIONS,
    CLASSES,
    CLUSTERS,
    EMBEDDINGS,
    FEATURES,
    KINDS,
    LABELS,
    MISSES,
    RANKS,
    RELEVANCY,
    SHIFTS,
    STEPS,
    SWEEP,
    Kind,
    kind_of,
)
from pipelines.artifacts.scored import is_scores, scores_folder, scores_of_run
from pipelines.artifacts.shifts import Shifts, read_shifts, select_shifts
from pipelines.artifacts.splits import canonical_split, plain_splits
from pipelines.artifacts.text import text_column
from pipelines.artifacts.vectors import (
    Vectors,
    check_vectors,
    read_vector_ids,
    read_vectors,
    vector_schema,
    vector_type,
    with_vectors,
)

__all__ = [
    "ADVICE",
    "ANNOTATIONS",
    "CLASSES",
    "CLIPS",
    "CLUSTERS",
    "EMBEDDINGS",
    "FEATURES",
    "KINDS",
    "LABELS",
    "MISSES",
    "NOISE",
    "RANKS",
    "RELEVANCY",
    "SHIFTS",
    "STEPS",
    "SWEEP",
    "ArtifactWriter",
    "Clips",
    "Frequency",
    "Kind",
    "Provenance",
    "Shifts",
    "StagePlan",
    "StageResult",
    "Vectors",
    "align",
    "canonical_split",
    "check_vectors",
    "class_column",
    "clips_of",
    "fingerprint_of",
    "first_few",
    "frequency_file",
    "gini",
    "gini_of_samples",
    "has_noise",
    "is_same_file",
    "is_scores",
    "kind_of",
    "labels_path",
    "largest_and_smallest",
    "mean_frequency",
    "noise_apart",
    "open_parquet",
    "plain_splits",
    "read_annotations",
    "read_class_columns",
    "read_clips",
    "read_cluster_sizes",
    "read_clusters",
    "read_frequency",
    "read_labels",
    "read_provenance",
    "read_shifts",
    "read_table",
    "read_vector_ids",
    "read_vectors",
    "refuse_replacing_inputs",
    "require_texts",
    "require_unique",
    "rows_of_split",
    "scores_folder",
    "scores_of_run",
    "select_shifts",
    "shortened",
    "text_column",
    "vector_schema",
    "vector_type",
    "with_media_ids",
    "with_vectors",
]
