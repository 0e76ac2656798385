"""Pairs to train and validate on, joined by id from the stages' files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from pipelines.artifacts import Shifts, Vectors, align, read_shifts
from pipelines.media import CACHE_BYTES, MediaSource, View, media_list, open_media
from pipelines.train.positives import RelevantCaptions

Texts = Tensor | list[str]


@dataclass(frozen=True)
class PairedData:
    """The media and captions of one split.

    Attributes:
        media: The media, m of them.
        sample_ids: Ids of the n captions.
        texts: Text embeddings ``[n, d]``; the captions themselves where there is a text tower.
        media_of_sample_n: Row of each caption's medium ``[n]``.
        shifts: Shift of each caption, where there are shifts.
    """

    media: MediaSource
    sample_ids: list[str]
    texts: Texts
    media_of_sample_n: Tensor
    shifts: Shifts | None = None


def pair_up(
    table: pa.Table,
    source: Path,
    *,
    media: Path | None,
    view: View | None,
    text: Vectors | None,
    shifts: Path | None,
    cache_bytes: int = CACHE_BYTES,
) -> PairedData:
    """Join captions with their media, embeddings and shifts.

    Args:
        table: Annotations, as ``read_annotations`` gives them.
        source: Where they came from.
        media: Where media are, see ``open_media``; None where the annotations say it.
        view: What the media tower takes; None for features.
        text: The embeddings file's content; None where a text tower takes the captions themselves.
        shifts: Shifts file, where shifts are used.
        cache_bytes: Memory for decoded evaluation views.

    Raises:
        InputError: Captions lack an embedding, medium or shift; says how many and which first.
    """
    sample_ids = table.column("sample_id")
    listed = media_list(table, source)
    if text is None:
        texts: Texts = table.column("text").to_pylist()
    else:
        texts = torch.from_numpy(text.matrix_nd[align(sample_ids, text.ids, what="samples", path=text.path)])
    row_of = pc.index_in(table.column("media_id"), value_set=pa.array(listed.ids, pa.string()))
    return PairedData(
        open_media(media, listed, view=view, cache_bytes=cache_bytes),
        sample_ids.to_pylist(),
        texts,
        torch.from_numpy(row_of.to_numpy().astype(np.int64)),
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

    def of_media(self, media_row: int, draws: Tensor) -> tuple[int, int]:
        """The rows of the caption and of the own sample of one medium, from two uniform draws in [0, 1) ``[2]``."""
        chosen = self._first_m[media_row] + (draws[0] * self._captions_m[media_row]).long()
        sample = self._samples_by_media[chosen]
        if self._captions is None:
            return int(sample), int(sample)
        return int(self._captions.draw(sample[None], draws[1:])), int(sample)

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
