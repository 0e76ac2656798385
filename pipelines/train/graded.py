"""Validation by graded relevancy: EK-100's own scores, where one of them chooses the best epoch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipelines.artifacts import Clips, read_clips
from pipelines.errors import InputError
from pipelines.scores.ek100 import score_ek100
from pipelines.scores.queries import DIRECTIONS, GRADED
from pipelines.scores.relevancy import Relevancy, class_relevancy
from pipelines.scores.similarity import EmbeddingScores
from pipelines.train.config import GRADED_SCORES, TrainConfig


@dataclass(frozen=True)
class GradedPairs:
    """The validation split's n clips and m sentences, in the order of its samples.

    Attributes:
        clips: Which clips carry a sentence.
        relevancy: Of clips (rows) and sentences (columns).
    """

    clips: Clips
    relevancy: Relevancy

    def scores(self, media_nd: Tensor, text_nd: Tensor, size_n: NDArray[np.float64] | None) -> dict[str, float]:
        """The scores of ``mmts eval --protocol ek100``.

        Args:
            media_nd: Embeddings of the clips ``[n, d]``.
            text_nd: Embeddings of their own captions ``[n, d]``.
            size_n: Training cluster size of each, where known.

        Returns:
            ``mAP``, ``nDCG`` and so on, the means of both directions, ``text_to_media_mAP`` and so on; where cluster
            sizes are known the same for the thirds by frequency, as ``tail_mAP``.
        """
        clip_of_sentence = self.clips.clip_of_sentence
        evaluation = score_ek100(
            EmbeddingScores(media_nd.numpy(), text_nd.numpy()[clip_of_sentence]),
            self.relevancy,
            clip_of_sentence,
            cluster_size=size_n,
            resamples=0,
        )
        return {
            f"{'' if segment == 'overall' else f'{segment}_'}{'' if direction == 'mean' else f'{direction}_'}{name}": (
                by_direction[direction][name]["value"] or 0.0
            )
            for segment, by_direction in evaluation.scores.items()
            for direction in ("mean", *DIRECTIONS)
            if direction in by_direction
            for name in GRADED
        }


def read_graded(config: TrainConfig) -> GradedPairs | None:
    """Read what the graded scores of the validation split take; None where another score chooses the best epoch.

    Raises:
        InputError: The annotations are not EK-100's.
    """
    if not config.metric.endswith(GRADED_SCORES):
        return None
    try:
        clips = read_clips(config.annotations, config.val_split)
    except InputError as error:
        raise InputError(f"--metric {config.metric}: {error}") from error
    relevancy = class_relevancy(clips.verb_class, clips.all_noun_classes, clips.clip_of_sentence)
    return GradedPairs(clips, relevancy)
