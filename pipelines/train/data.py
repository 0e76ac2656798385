"""What a run reads, each file once: pairs to train and validate on, joined by id from the stages' files."""

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.artifacts import (
    SHIFTS,
    Frequency,
    Shifts,
    Vectors,
    align,
    mean_frequency,
    read_annotations,
    read_frequency,
    read_table,
    read_vectors,
    rows_of_split,
    select_shifts,
)
from pipelines.artifacts.matrix import take
from pipelines.artifacts.needs import Need, extent_of
from pipelines.artifacts.strings import StringList, string_column
from pipelines.device import choose_device, decoding_workers
from pipelines.errors import InputError
from pipelines.media import (
    CACHE_BYTES,
    FeatureMedia,
    MediaSource,
    StoredVectors,
    View,
    holds_features,
    media_list,
    open_media,
    read_features,
)
from pipelines.models.vision import input_bytes
from pipelines.scores.thirds import THIRDS, frequency_edges, frequency_third, media_sizes
from pipelines.train.config import SCORES, TrainConfig
from pipelines.train.launch import processes_started

_BASE, _PER_ROW = 0.6 * 2**30, 400  # bytes, measured by benchmarks/scale.py
_PER_TEXT_BYTE = 2.5  # that is read: as the file has it, and by split
_BATCHES_HELD, _BATCHES_AHEAD = 2, 2  # of pixels: one in use, one put together; and in shared memory
Texts = StoredVectors | StringList[str]


@dataclass(frozen=True)
class RunFiles:
    """The files of a run, whole.

    Attributes:
        annotations: The annotations; with their texts where `TrainConfig.reads_texts`.
        text: Embeddings of the texts; None where a text tower takes the captions themselves.
        features: Features of the media; None where media are pixels.
        shifts: Content of the shifts file, where shifts are used.
        clusters: Sizes in the clusters file, where one is used.
        frequency: What scores by frequency follow from, where that is declared.
    """

    annotations: pa.Table
    text: Vectors | None
    features: Vectors | None
    shifts: pa.Table | None
    clusters: Frequency | None = None
    frequency: Frequency | None = None

    @property
    def text_size(self) -> int | None:
        """Size of a text embedding; None without embeddings."""
        return None if self.text is None else self.text.matrix_nd.shape[1]

    @property
    def media_size(self) -> int | None:
        """Size of a media feature; None without features."""
        return None if self.features is None else self.features.matrix_nd.shape[1]

    @property
    def has_splits(self) -> bool:
        """Whether the annotations say which split a sample is of."""
        return "split" in self.annotations.column_names


@dataclass(frozen=True)
class PairedData:
    """The media and captions of one split.

    Attributes:
        media: The media, m of them.
        sample_ids: Ids of the n captions.
        texts: Text embeddings, n of them; the captions themselves where there is a text tower.
        media_of_sample_n: Row of each caption's medium ``[n]``.
        shifts: Shift of each caption, where there are shifts.
        size_n: Training cluster size of each caption ``[n]``, which scores by frequency follow from, where known.
    """

    media: MediaSource
    sample_ids: StringList[str]
    texts: Texts
    media_of_sample_n: Tensor
    shifts: Shifts | None = None
    size_n: NDArray[np.float64] | None = None


def read_files(config: TrainConfig) -> RunFiles:
    """Read the files of a run; pixels are not read yet, and vectors that are too large for memory lie on the disk.

    Raises:
        InputError: A file can't be used, or there is nothing to validate on although the settings ask for more than the
            default validation.
    """
    scratch = config.output if config.output.is_dir() else Path(tempfile.gettempdir())
    files = RunFiles(
        read_annotations(config.annotations, texts=config.reads_texts),
        None if config.text is None else read_vectors(config.text, id_column="sample_id", scratch=scratch),
        read_features(config.media_path, config.annotations, scratch) if config.media_model is None else None,
        None if config.shifts is None else read_table(config.shifts, SHIFTS),
        None if config.clusters is None else mean_frequency([config.clusters]),
        None if config.frequency is None else read_frequency(config.frequency, config.annotations),
    )
    if not files.has_splits and (config.patience or config.val_every > 1 or config.metric != SCORES[0]):
        raise InputError(
            f"{config.annotations}: has no column split, so nothing to validate on; leave --metric, --patience and "
            "--val-every out"
        )
    return files


def needs_of(config: TrainConfig) -> Need:
    """The memory that each process of a run takes for its data, and the disk that all of them take.

    Of pixels the batches are counted that are held at one time. The model is left out, and so are evaluation views that
    are kept once they are decoded, up to `CACHE_BYTES`.

    Raises:
        InputError: A file can't be read.
    """
    files = [path for path in (config.text, config.media_path) if path is not None and holds_features(path)]
    vectors = [extent_of(path) for path in files]
    samples = extent_of(config.annotations)
    held = sum(each.copies for each in vectors if each.is_small)  # others are read a batch at a time, and never mapped
    disk = config.devices * config.nodes * sum(each.disk for each in vectors)
    texts = _PER_TEXT_BYTE * samples.text_bytes if config.reads_texts else 0
    processes, nodes = processes_started(config.devices, config.nodes)
    batch = _batch_bytes(config, samples.rows) / (processes * nodes)
    # Without workers there is nothing to decode ahead.
    ahead = _BATCHES_AHEAD * batch if batch and _decodes_aside(config, processes) else 0
    data = held + _PER_ROW * samples.rows + texts + _BATCHES_HELD * batch
    return Need(_BASE + data + ahead, disk, shared=ahead, processes=processes if batch else 1)


def _batch_bytes(config: TrainConfig, samples: int) -> int:
    """Bytes of the pixels of a batch, as far as the files of the model say."""
    if config.media_model is None:
        return 0
    with contextlib.suppress(InputError):  # of a model that can't be read, which is told as it is loaded
        each = input_bytes(config.media_model, config.frames, trust_remote_code=config.trust_remote_code)
        return min(samples, config.batch_size) * each
    return 0


def _decodes_aside(config: TrainConfig, processes: int) -> bool:
    return decoding_workers(config.workers, choose_device(config.device), processes) > 0


def pair_up(
    files: RunFiles, config: TrainConfig, split: str, *, view: View | None = None, cache_bytes: int = CACHE_BYTES
) -> PairedData:
    """Join the captions of a split with their media, embeddings and shifts.

    Args:
        files: What was read.
        config: The settings it was read for.
        split: The split; all rows where the annotations have no splits.
        view: What the media tower takes; None for features.
        cache_bytes: Memory for decoded evaluation views.

    Raises:
        InputError: Captions lack an embedding, medium or shift; says how many and which first.
    """
    table = rows_of_split(files.annotations, split, config.annotations)
    sample_ids = table.column("sample_id")
    listed = media_list(table, config.annotations)
    if files.text is None:
        texts: Texts = StringList(table.column("text"))
    else:
        rows = align(sample_ids, files.text.ids, what="samples", path=files.text.path)
        texts = StoredVectors(take(files.text.matrix_nd, rows))
    if files.features is None:
        media: MediaSource = open_media(config.media_path, listed, view=view, cache_bytes=cache_bytes)
    else:
        media = FeatureMedia(files.features, listed.ids)
    row_of = align(table.column("media_id"), string_column(listed.ids), what="media", path=config.annotations)
    shifts = None
    if files.shifts is not None and config.shifts is not None:
        shifts = select_shifts(files.shifts, config.shifts, sample_ids)
    return PairedData(
        media,
        StringList(sample_ids),
        texts,
        torch.from_numpy(row_of),
        shifts,
        _sizes(files, shifts, sample_ids),
    )


def _sizes(files: RunFiles, shifts: Shifts | None, sample_ids: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """What scores by frequency follow from: as declared, else the sizes behind the shifts, else the clusters'."""
    if files.frequency is None and shifts is not None:
        return shifts.cluster_size_n.astype(np.float64)
    frequency = files.frequency or files.clusters
    return None if frequency is None else frequency.of(sample_ids)


def require_scored(metric: str, validation: PairedData | None) -> None:
    """Check, before the first step, that the score which chooses the best epoch will be there.

    Raises:
        InputError: It is that of a third in which no text, or no medium, of the validation split is.
    """
    third = metric.split("_")[0]
    if third not in THIRDS or validation is None or validation.size_n is None:
        return
    size_n = validation.size_n
    size_m = media_sizes(size_n, validation.media_of_sample_n.numpy(), len(validation.media.ids))
    edges = frequency_edges(size_n)
    if not all(THIRDS.index(third) in frequency_third(sizes, edges) for sizes in (size_n, size_m)):
        raise InputError(
            f"--metric {metric}: no query of the validation split is in the {third} third; choose another score"
        )
