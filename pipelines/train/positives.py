"""Captions drawn by relevancy, as the EPIC-KITCHENS-100 recipe does: any training sentence relevant to the clip."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.artifacts import read_clips
from pipelines.errors import InputError
from pipelines.scores.relevancy import Relevancy, class_relevancy

DEFAULT_MIN_RELEVANCY = 0.1
KEYS_AT_ONCE = 256  # distinct sets of classes


class RelevantCaptions:
    """For each clip, the rows of the captions relevant to it.

    Clips of the same classes share their candidates, so those are kept once for each distinct set of classes.

    Args:
        relevancy: Of n clips (rows) and m sentences (columns).
        sentence_rows: Row of the sample whose caption each sentence is, shape ``(m,)``.
        minimum: What the relevancy of a candidate exceeds.

    Source:
        The released EK-100 training code of MM-TS (arXiv 2603.08202), with a minimum of 0.1.
    """

    def __init__(self, relevancy: Relevancy, sentence_rows: NDArray[np.int64], minimum: float) -> None:
        is_relevant_g = relevancy.grades > minimum
        candidates, counts = [], []
        for start in range(0, len(relevancy.codes), KEYS_AT_ONCE):
            codes_pm = relevancy.codes[start : start + KEYS_AT_ONCE].take(relevancy.column_key, axis=1)
            is_relevant_pm = is_relevant_g[codes_pm]
            counts.append(is_relevant_pm.sum(axis=1))
            candidates.append(sentence_rows[np.nonzero(is_relevant_pm)[1]].astype(np.int32))
        self._key_n = torch.from_numpy(relevancy.row_key)
        self._candidates = torch.from_numpy(np.concatenate(candidates))
        self._count_k = torch.from_numpy(np.concatenate(counts))
        self._first_k = torch.cumsum(self._count_k, 0) - self._count_k

    def count(self) -> Tensor:
        """How many candidates each clip has ``[n]``."""
        return self._count_k[self._key_n]

    def candidates(self, clip: int) -> Tensor:
        """The rows of the captions that stand for a clip, ascending."""
        key = self._key_n[clip]
        first = int(self._first_k[key])
        return self._candidates[first : first + int(self._count_k[key])].long()

    def draw(self, clip_n: Tensor, draw_n: Tensor) -> Tensor:
        """The row of a caption for each clip, uniformly among its candidates.

        Args:
            clip_n: Rows of clips ``[n]``; each has a candidate.
            draw_n: Uniform draws in [0, 1), float64 ``[n]``.
        """
        key_n = self._key_n[clip_n]
        return self._candidates[self._first_k[key_n] + (draw_n * self._count_k[key_n]).long()].long()


def read_relevant_captions(annotations: Path, split: str, minimum: float = DEFAULT_MIN_RELEVANCY) -> RelevantCaptions:
    """The captions relevant to each clip of a split, counted in rows of that split.

    The candidates are the rows with ``retrieval_sentence``; relevancy is that of the benchmark, from the classes.

    Args:
        annotations: Annotations file, as ``mmts prepare ek100`` writes it.
        split: The split that is trained on.
        minimum: What the relevancy of a candidate exceeds.

    Raises:
        InputError: The annotations lack a column or have no retrieval sentence, rows share a clip, or clips have no
            candidate; says how many and which first.
    """
    clips = read_clips(annotations, split)
    relevancy = class_relevancy(clips.verb_class, clips.all_noun_classes, clips.clip_of_sentence)
    captions = RelevantCaptions(relevancy, clips.clip_of_sentence, minimum)
    without = torch.nonzero(captions.count() == 0).flatten()
    if len(without):
        first = ", ".join(clips.sample_ids[row].as_py() for row in without[:3].tolist())
        raise InputError(
            f"{annotations}: {len(without):,} clips have no retrieval sentence whose relevancy exceeds {minimum:g}, "
            f"first: {first}; lower --min-relevancy, or use --positives own"
        )
    return captions
