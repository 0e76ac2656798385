"""Recall on the validation split."""

import torch
from torch import Tensor

from pipelines.scores.retrieval import score_retrieval
from pipelines.train.session import Session

RECALLS = (1, 5, 10)
_ROWS_AT_ONCE = 512


def validate(session: Session) -> dict[str, float]:
    """Score retrieval on the validation split, both directions, all its captions; every process must call it.

    Returns:
        ``text_to_media_recall@1`` and so on, 0-100, and ``recall_sum``, the sum of the six; where cluster sizes are
        known the same for the thirds by frequency, as ``tail_text_to_media_recall@1`` and ``tail_recall_sum``.
    """
    data = session.validation
    assert data is not None
    session.trainable.model.eval()
    media_nd = _encode(session, len(data.media.ids), media=True).numpy()
    text_nd = _encode(session, len(data.sample_ids), media=False).numpy()
    session.trainable.model.train()
    scores = score_retrieval(
        media_nd,
        text_nd,
        data.media_of_sample_n.numpy(),
        cluster_size=None if data.shifts is None else data.shifts.cluster_size_n,
        resamples=0,
    ).scores
    result: dict[str, float] = {}
    for segment, by_direction in scores.items():
        if not {"text_to_media", "media_to_text"} <= by_direction.keys():
            continue  # no text, or no medium, is in this third
        prefix = "" if segment == "overall" else f"{segment}_"
        recalls = {
            f"{prefix}{direction}_recall@{k}": by_direction[direction][f"recall@{k}"]["value"] or 0.0
            for direction in ("text_to_media", "media_to_text")
            for k in RECALLS
        }
        result |= {**recalls, f"{prefix}recall_sum": sum(recalls.values())}
    return result


@torch.inference_mode()
def _encode(session: Session, count: int, *, media: bool) -> Tensor:
    """Embeddings ``[count, dimension]`` of all media or all captions, each process having done its share."""
    data, fabric = session.validation, session.fabric
    assert data is not None
    share = -(-count // fabric.world_size)
    # Sharded models need every process at every forward pass: the last one goes round to the first rows again.
    rows = torch.arange(fabric.global_rank * share, (fabric.global_rank + 1) * share) % count
    parts = []
    for part in torch.split(rows, _ROWS_AT_ONCE):
        if media:
            encoded, _ = session.model(data.media.batch(part).to(fabric.device), None)
        else:
            _, encoded = session.model(None, session.text_inputs(data, part))
        parts.append(encoded.float())
    embedded = torch.cat(parts)
    if session.processes is not None:
        embedded = session.processes.gather(embedded, [share] * fabric.world_size)
    return embedded[:count].cpu()
