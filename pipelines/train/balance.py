"""What sets the balance of head and tail beside the temperature: duplicates in a batch, weights, logits, sampling."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.artifacts import rows_of_split
from pipelines.contrast import PairInfo
from pipelines.errors import InputError
from pipelines.scores.thirds import media_sizes
from pipelines.train.config import TrainConfig
from pipelines.train.data import PairedData, RunFiles


@dataclass(frozen=True)
class Balance:
    """What a run's settings make of its training data; all None where none of them is given.

    Attributes:
        media_group_n: Row of each sample's medium ``[n]``, where duplicates are no negatives.
        text_group_n: Number of each sample's text, the same for identical texts ``[n]``; likewise.
        weight_n: Weight of each sample's pair ``[n]``.
        adjustment_n: What is added to the logits that have each sample's pair as candidate ``[n]``.
        media_weight_m: How often each medium is drawn ``[m]``, relative to the others; None for once an epoch.
    """

    media_group_n: Tensor | None = None
    text_group_n: Tensor | None = None
    weight_n: Tensor | None = None
    adjustment_n: Tensor | None = None
    media_weight_m: Tensor | None = None

    def of_pairs(self, text_rows: Tensor, sample_rows: Tensor) -> PairInfo:
        """What the loss is told of some pairs: rows of their captions ``[n]``, and of the media's own samples ``[n]``.

        A pair's text is that of its caption; its medium and its cluster are those of the medium's own sample.
        """
        return {
            "media_group_n": None if self.media_group_n is None else self.media_group_n[sample_rows],
            "text_group_n": None if self.text_group_n is None else self.text_group_n[text_rows],
            "weight_n": None if self.weight_n is None else self.weight_n[sample_rows],
            "adjustment_n": None if self.adjustment_n is None else self.adjustment_n[sample_rows],
        }


def find_balance(config: TrainConfig, files: RunFiles, training: PairedData) -> Balance:
    """Compute, once for a run, what its settings of balance need.

    With n_c the number of training samples in a sample's cluster, of N: a pair weighs ``n_c ** -weight``; a candidate's
    logit has ``adjust * log(n_c / N)`` added; a medium is drawn with probability proportional to
    ``n_c ** (power - 1)``, n_c being the mean over its captions.

    Raises:
        InputError: The clusters file can't be used, lacks training samples, or says that a training sample's cluster
            has no training sample.
    """
    media_group_n = text_group_n = weight_n = adjustment_n = media_weight_m = None
    if config.related is not None:
        text = rows_of_split(files.annotations, config.split, config.annotations).column("text")
        media_group_n = training.media_of_sample_n
        text_group_n = torch.from_numpy(text.dictionary_encode().combine_chunks().indices.to_numpy().astype(np.int64))
    if config.weight is not None:
        weight_n = torch.from_numpy(_sizes(config, files, training) ** -config.weight)
    if config.adjust is not None:
        share_n = _sizes(config, files, training) / len(training.sample_ids)
        adjustment_n = torch.from_numpy(config.adjust * np.log(share_n))
    if config.sampling is not None:
        media_of_n = training.media_of_sample_n.numpy()
        size_m = media_sizes(_sizes(config, files, training), media_of_n, len(training.media.ids))
        media_weight_m = torch.from_numpy(size_m ** ((config.power or 0.0) - 1))
    return Balance(media_group_n, text_group_n, weight_n, adjustment_n, media_weight_m)


def _sizes(config: TrainConfig, files: RunFiles, training: PairedData) -> NDArray[np.float64]:
    """Training cluster size of each training sample ``(n,)``."""
    if files.clusters is not None:
        size_n = files.clusters.of(training.sample_ids.column)
    else:
        assert training.shifts is not None  # `TrainConfig` wants one of both
        size_n = training.shifts.cluster_size_n.astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(size_n) & (size_n > 0)))
    if len(bad):
        raise InputError(
            f"{config.clusters or config.shifts}: {len(bad):,} training samples have cluster size {size_n[bad[0]]:g}; "
            "make the clusters with the training split as --fit-split"
        )
    return size_n
