"""Recall on the validation split, after each epoch."""

import numpy as np
import torch

from pipelines.models import DualEncoder, encode_media, encode_texts
from pipelines.scores.ranks import retrieval_ranks
from pipelines.scores.similarity import EmbeddingScores
from pipelines.train.data import PairedData

RECALLS = (1, 5, 10)


def validate(model: DualEncoder, data: PairedData, device: torch.device) -> dict[str, float]:
    """Score retrieval on a split, both directions, all its captions.

    Returns:
        ``text_to_media_recall@1`` and so on, 0-100, and ``recall_sum``, the sum of the six, by which the best epoch is
        chosen.
    """
    model.eval()
    media_nd = encode_media(model, data.media, device).numpy()
    text_nd = encode_texts(model, data.text_nd, device).numpy()
    model.train()
    to_media, to_text = retrieval_ranks(
        EmbeddingScores(media_nd, text_nd), data.media_of_sample_n.numpy(), np.arange(len(text_nd))
    )
    result = {
        f"{direction}_recall@{k}": float(100 * (ranks.rank <= k).mean())
        for direction, ranks in (("text_to_media", to_media), ("media_to_text", to_text))
        for k in RECALLS
    }
    result["recall_sum"] = sum(result.values())
    return result
