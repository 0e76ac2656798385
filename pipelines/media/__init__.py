"""Media a dual encoder sees: feature vectors, images or clips of videos, each read when it is asked for.

table = read_annotations(path)
source = open_media(Path("images.zip"), media_list(table, path), view=View(224, ranges=RANGES["crop"]))
source.batch(torch.arange(8))                                        # evaluation views
for loaded in batches(source, plan, workers=4, seed=0, max_bad=10):  # augmented, decoded in worker processes
    ...
"""

from pipelines.media.errors import BadMediaError, DamagedMediumError, MissingMediaError, require_few_damaged
from pipelines.media.features import FeatureMedia, StoredVectors
from pipelines.media.linked import linked_parameters
from pipelines.media.listing import MediaList, media_list
from pipelines.media.loader import LoadedBatch, PlannedBatch, Replacement, batches
from pipelines.media.source import (
    CACHE_BYTES,
    MediaSource,
    holds_features,
    media_files,
    media_inputs,
    open_media,
    read_features,
)
from pipelines.media.view import View

__all__ = [
    "CACHE_BYTES",
    "BadMediaError",
    "DamagedMediumError",
    "FeatureMedia",
    "LoadedBatch",
    "MediaList",
    "MediaSource",
    "MissingMediaError",
    "PlannedBatch",
    "Replacement",
    "StoredVectors",
    "View",
    "batches",
    "holds_features",
    "linked_parameters",
    "media_files",
    "media_inputs",
    "media_list",
    "open_media",
    "read_features",
    "require_few_damaged",
]
