"""Pairs to train and validate on, joined by id from the stages' files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipelines.artifacts import Shifts, Vectors, align, read_shifts
from pipelines.media import MediaSource, View, media_list, open_media
from pipelines.train.positives import RelevantCaptions


@dataclass(frozen=True)
class PairedData:
    """The media and captions of one split.

    Attributes:
        media: The media, m of them.
        sample_ids: Ids of the n captions.
        text_nd: Text embeddings ``[n, d]``.
        media_of_sample_n: Row of each caption's medium ``[n]``.
        shifts: Shift of each caption, where there are shifts.
    """

    media: MediaSource
    sample_ids: list[str]
    text_nd: Tensor
    media_of_sample_n: Tensor
    shifts: Shifts | None = None


def pair_up(table: pa.Table, media: Path, text: Vectors, *, shifts: Path | None, image_size: int | None) -> PairedData:
    """Join captions with their embeddings, media and shifts.

    Args:
        table: Annotations, as ``read_annotations`` gives them.
        media: Features file, or folder or zip of images.
        text: The embeddings file's content.
        shifts: Shifts file, where shifts are used.
        image_size: Side of the images the media tower takes; None for features.

    Raises:
        InputError: Captions lack an embedding, medium or shift; says how many and which first.
    """
    sample_ids = table.column("sample_id")
    text_rows = align(sample_ids, text.ids, what="samples", path=text.path)
    media_of_sample = table.column("media_id").combine_chunks().dictionary_encode()
    source = open_media(media, media_list(table), view=None if image_size is None else View(image_size))
    return PairedData(
        source,
        sample_ids.to_pylist(),
        torch.from_numpy(text.matrix_nd[text_rows]),
        torch.from_numpy(media_of_sample.indices.to_numpy().astype(np.int64)),
        None if shifts is None else read_shifts(shifts, sample_ids),
    )


class EpochSampler:
    """The order of an epoch: every medium once, with one of its captions drawn anew, in full batches.

    The order depends on the seed and the epoch alone. What doesn't fill a last batch is left out of that epoch, so
    that every step contrasts the same number of pairs; with fewer media than a batch there is one batch of them all.

    Args:
        media_of_sample_n: Row of each caption's medium ``[n]``; every medium has a caption.
        batch_size: Pairs in a batch.
        seed: Seed of the order.
        captions: Draws the caption that stands for a sample; its own if None.
    """

    def __init__(
        self, media_of_sample_n: Tensor, batch_size: int, seed: int, captions: RelevantCaptions | None = None
    ) -> None:
        self._samples_by_media = torch.argsort(media_of_sample_n, stable=True)
        self._captions_m = torch.bincount(media_of_sample_n)
        self._first_m = torch.cumsum(self._captions_m, 0) - self._captions_m
        self.batch_size = min(batch_size, len(self._captions_m))
        self._seed = seed
        self._captions = captions

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self._captions_m) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the rows of media, of captions and of the media's own samples ``[batch]`` of each batch.

        The own sample is the one whose shift and state count; its caption is the one yielded, unless another stands
        for it.
        """
        generator = torch.Generator().manual_seed((self._seed << 20) + epoch)
        media = torch.randperm(len(self._captions_m), generator=generator)
        draw = torch.rand(len(media), generator=generator, dtype=torch.float64)
        chosen = (draw * self._captions_m[media]).long()
        samples = self._samples_by_media[self._first_m[media] + chosen]
        texts = samples
        if self._captions is not None:
            texts = self._captions.draw(samples, torch.rand(len(media), generator=generator, dtype=torch.float64))
        for step in range(self.steps):
            part = slice(step * self.batch_size, (step + 1) * self.batch_size)
            yield media[part], texts[part], samples[part]
