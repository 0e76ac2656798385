"""The batches of an epoch, as one process of a run sees them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pipelines.media import LoadedBatch, PlannedBatch, Replacement, batches
from pipelines.train.session import Session


@dataclass(frozen=True)
class Batch:
    """This process's part of a batch.

    Attributes:
        media: Inputs of the media tower ``[n, ...]``, on the CPU.
        text_rows: Rows of the captions ``[n]``.
        sample_rows: Rows of the samples whose shift and state count ``[n]``.
        all_sample_rows: The same of the whole batch as it was planned, for messages.
    """

    media: Tensor
    text_rows: Tensor
    sample_rows: Tensor
    all_sample_rows: Tensor

    def split(self, count: int) -> list["Batch"]:
        """This part in so many micro-batches, whose sizes differ by one pair at most."""
        if count == 1:
            return [self]
        ends = [len(self.media) * number // count for number in range(count + 1)]
        return [
            Batch(self.media[a:b], self.text_rows[a:b], self.sample_rows[a:b], self.all_sample_rows)
            for a, b in pairwise(ends)
        ]


def micro_batches(session: Session, batch: Batch) -> int:
    """Into how many micro-batches every process splits its part: sharded models need as many on each."""
    if session.config.micro_batch is None:
        return 1
    pairs, world = len(batch.all_sample_rows), session.fabric.world_size
    largest = math.ceil(pairs / world)
    return max(1, min(math.ceil(largest / session.config.micro_batch), pairs // world))


def epoch_batches(session: Session, epoch: int, first: int) -> Iterator[Batch]:
    """This process's parts of the batches of an epoch, from batch ``first`` on.

    Raises:
        InputError: More than ``max_bad`` media are damaged.
    """
    config, rank = session.config, session.fabric.global_rank
    plan = [
        PlannedBatch(epoch, step, media_rows, session.part(len(media_rows), rank), (text_rows, sample_rows))
        for step, (media_rows, text_rows, sample_rows) in enumerate(session.sampler.epoch(epoch))
        if step >= first
    ]
    loaded_batches = batches(
        session.training.media,
        plan,
        workers=session.workers,
        seed=config.seed,
        max_bad=config.max_bad,
        pinned=session.fabric.device.type == "cuda",
    )
    for loaded in loaded_batches:
        text_rows, sample_rows = (rows[loaded.plan.part].clone() for rows in loaded.plan.extra)
        session.note_damage(session.training, loaded.replacements)
        for replacement in loaded.replacements:
            place = replacement.position - loaded.plan.part.start
            text_rows[place], sample_rows[place] = _stand_in(session, loaded, replacement)
        yield Batch(loaded.inputs, text_rows, sample_rows, loaded.plan.extra[1])


def _stand_in(session: Session, loaded: LoadedBatch, replacement: Replacement) -> tuple[int, int]:
    """The caption and sample of the medium that stands in for a damaged one; a function of seed and place alone."""
    assert replacement.by is not None
    random = np.random.default_rng((session.config.seed, loaded.plan.epoch, loaded.plan.step, replacement.position))
    return session.sampler.of_media(replacement.by, torch.from_numpy(random.random(2)))
