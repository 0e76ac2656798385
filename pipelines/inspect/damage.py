"""Which media of annotations are damaged, or missing: what training would find hours later."""

from pathlib import Path
from typing import Any

from pipelines.artifacts import read_annotations
from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES, media_path
from pipelines.errors import InputError
from pipelines.media import View, media_list
from pipelines.media.clips import ClipMedia
from pipelines.media.damage import Fault
from pipelines.media.decoded import DecodedMedia
from pipelines.media.images import ImageMedia
from pipelines.media.source import holds_features, open_blobs
from pipelines.progress import SILENT, Progress
from pipelines.remote import as_path, located

_SIZE = 32  # pixels; JPEGs are decoded at the least size that gives so many


def find_damage(
    annotations: Path | str,
    media: Path | str,
    *,
    chunk_seconds: float | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Look once at each file of the annotations' media.

    Images are decoded. Of videos each file is opened, its length compared with its clips' times, and its last frames
    decoded; damage before them is not found.

    Args:
        annotations: The annotations.
        media: Where the media are, as for training: a folder or archive, or ``annotations``.
        chunk_seconds: Length of chunks that are numbered, see `in_seconds`.
        progress: Where to report.

    Returns:
        ``media``, how many there are; ``damaged``, how many of them need a file that is damaged; ``faults`` with the
        ``file``, the ``reason`` and the ``media_ids`` that it concerns; ``cut``, the same of videos that end more than
        a second before clips do, which are no damage: the frames that are there stand for the whole clip.

    Raises:
        InputError: Media are missing, or hold features.
    """
    annotations, place = located(annotations), media_path(as_path(media))
    if place is not None and holds_features(place):
        raise InputError(f"{place}: holds features, of which nothing is decoded; leave --media out")
    listed = media_list(read_annotations(annotations), annotations)
    timed = listed.start_s is not None or listed.end_s is not None
    blobs = open_blobs(place, listed, VIDEO_SUFFIXES if timed else (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
    source: DecodedMedia
    if timed or blobs.name(0).lower().endswith(VIDEO_SUFFIXES):
        source = ClipMedia(blobs, listed, View(_SIZE, 1, chunk_seconds=chunk_seconds), 0)
    else:
        source = ImageMedia(blobs, listed.ids, View(_SIZE, chunk_seconds=chunk_seconds), 0)
    faults = list(source.faults(progress))
    return {
        "path": str(annotations),
        "media": len(listed),
        "damaged": len({media_id for fault in faults if not fault.cuts for media_id in fault.media_ids}),
        "faults": [_described(fault) for fault in faults if not fault.cuts],
        "cut": [_described(fault) for fault in faults if fault.cuts],
    }


def _described(fault: Fault) -> dict[str, Any]:
    return {"file": fault.file, "reason": fault.reason, "media_ids": fault.media_ids}
