"""The order in which media and their captions are trained on."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.train.positives import RelevantCaptions


def steps_an_epoch(media: int, batch_size: int) -> int:
    """Whole batches of so many media; where they fill none, one batch of them all."""
    return max(1, media // batch_size)


class EpochSampler:
    """The order of an epoch: every medium once, with one of its captions drawn anew, in full batches.

    With weights, as many media are drawn with replacement. The order depends on the seed and the epoch alone. What
    doesn't fill a last batch is left out of that epoch, so that every step contrasts the same number of pairs; with
    fewer media than a batch there is one batch of them all.

    Args:
        media_of_sample_n: Row of each caption's medium ``[n]``; every medium has a caption.
        batch_size: Pairs in a batch.
        seed: Seed of the order.
        captions: Draws the caption that stands for a sample; its own if None.
        media_weight_m: How often each medium is drawn, relative to the others, float64 ``[m]``; once an epoch if None.
        reshuffle: Whether the order of media is another in each epoch; captions are drawn anew in any case.
    """

    def __init__(
        self,
        media_of_sample_n: Tensor,
        batch_size: int,
        seed: int,
        captions: RelevantCaptions | None = None,
        media_weight_m: Tensor | None = None,
        *,
        reshuffle: bool = True,
    ) -> None:
        self._samples_by_media = torch.argsort(media_of_sample_n, stable=True)
        self._captions_m = torch.bincount(media_of_sample_n)
        self._first_m = torch.cumsum(self._captions_m, 0) - self._captions_m
        self.batch_size = min(batch_size, len(self._captions_m))
        self._seed, self._reshuffle = seed, reshuffle
        self._captions = captions
        # The medium of a uniform draw in [0, 1) is the number of these that the draw reaches.
        share_m = None if media_weight_m is None else torch.cumsum(media_weight_m, 0) / media_weight_m.sum()
        self._inner_edges = None if share_m is None else share_m[:-1]

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return steps_an_epoch(len(self._captions_m), self.batch_size)

    @property
    def left_out(self) -> int:
        """Media that no epoch's batches hold."""
        same_order = not self._reshuffle and self._inner_edges is None
        return len(self._captions_m) - self.steps * self.batch_size if same_order else 0

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
        first_epoch = torch.Generator().manual_seed((self._seed << 20) + 1)
        media = self._media(generator if self._reshuffle else first_epoch)
        draw = torch.rand(len(media), generator=generator, dtype=torch.float64)
        chosen = (draw * self._captions_m[media]).long()
        samples = self._samples_by_media[self._first_m[media] + chosen]
        texts = samples
        if self._captions is not None:
            texts = self._captions.draw(samples, torch.rand(len(media), generator=generator, dtype=torch.float64))
        for step in range(self.steps):
            part = slice(step * self.batch_size, (step + 1) * self.batch_size)
            yield media[part], texts[part], samples[part]

    def _media(self, generator: torch.Generator) -> Tensor:
        """The rows of an epoch's media ``[m]``, in order."""
        count = len(self._captions_m)
        if self._inner_edges is None:
            return torch.randperm(count, generator=generator)
        draw = torch.rand(count, generator=generator, dtype=torch.float64)
        return torch.searchsorted(self._inner_edges, draw, right=True)
