"""Recall on the validation split."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.media.decoded import DecodedMedia
from pipelines.models import encode_batches, media_batch_size
from pipelines.progress import Progress, Silent
from pipelines.rank import is_first_process
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import DIRECTIONS, RECALL_AT
from pipelines.scores.retrieval import score_retrieval
from pipelines.train.data import PairedData
from pipelines.train.session import Session
from pipelines.words import counted

_TEXTS_AT_ONCE = 256


@dataclass
class _Watched(Silent):
    """Progress that calls something each time there is some."""

    call: Callable[[], None]

    def advance(self, count: int = 1, note: str = "") -> None:
        self.call()


def validate(session: Session, between: Callable[[], None]) -> dict[str, float]:
    """Score retrieval on the validation split; every process must call it.

    Where a graded score chooses the best epoch no medium may be damaged, since `mmts eval` scores all of them.

    Args:
        session: What is trained.
        between: Called after each batch, as often on every process, and while ranks are counted; what it raises ends
            the validation.

    Returns:
        See `summed_recalls`; where a graded score chooses the best epoch, those of `GradedPairs.scores` as well.

    Raises:
        InputError: Media are damaged, more than may be.
    """
    assert session.validation is not None
    data = session.validation
    encoded = _encode(session, data, between)
    scores = summed_recalls(_score(encoded, data, between))
    if session.graded is not None:
        scores |= session.graded.scores(encoded.media_nd, encoded.text_nd, data.size_n)
    return scores


def require_whole(session: Session, progress: Progress) -> None:
    """Check, before the first step, the clips of the validation split where a graded score needs all of them.

    Clips that only lose their end, see `Fault`, are noted.

    Raises:
        InputError: Files of them are damaged, as far as a look at each shows.
    """
    media = None if session.validation is None else session.validation.media
    if session.graded is None or not isinstance(media, DecodedMedia) or not is_first_process():
        return
    config, cut = session.config, []
    listing = f"`mmts inspect {config.annotations} --media {config.media}` lists"
    for fault in media.faults(progress):
        if not fault.cuts:
            raise InputError(
                f"{fault.file}: {fault.reason}; --metric {config.metric} needs all media of the {config.val_split} "
                f"split: {listing} the damaged ones"
            )
        cut += fault.media_ids
    if cut:
        progress.note(
            f"{counted(len(cut), 'clip')} of the {config.val_split} split, first {cut[0]}, end after their videos do: "
            f"{listing} them"
        )


def score_pairs(session: Session, data: PairedData, between: Callable[[], None] = lambda: None) -> Evaluation:
    """Score retrieval among some pairs, both directions, all captions; every process must call it.

    Args:
        session: What is trained.
        data: The pairs.
        between: As for `validate`.
    """
    return _score(_encode(session, data, between), data, between)


def summed_recalls(evaluation: Evaluation) -> dict[str, float]:
    """The recalls of an evaluation and their sums.

    Returns:
        ``text_to_media_recall@1`` and so on, 0-100, and ``recall_sum``, the sum of the six; where cluster sizes are
        known the same for the thirds by frequency, as ``tail_text_to_media_recall@1`` and ``tail_recall_sum``.
    """
    result: dict[str, float] = {}
    for segment, by_direction in evaluation.scores.items():
        if not set(DIRECTIONS) <= by_direction.keys():
            continue  # no text, or no medium, is in this third
        prefix = "" if segment == "overall" else f"{segment}_"
        recalls = {
            f"{prefix}{direction}_recall@{k}": by_direction[direction][f"recall@{k}"]["value"] or 0.0
            for direction in DIRECTIONS
            for k in RECALL_AT
        }
        result |= {**recalls, f"{prefix}recall_sum": sum(recalls.values())}
    return result


@dataclass(frozen=True)
class _Encoded:
    """Embeddings of all media and captions, and which media could be decoded."""

    media_nd: Tensor
    text_nd: Tensor
    whole_n: Tensor


def _encode(session: Session, data: PairedData, between: Callable[[], None]) -> _Encoded:
    session.encoder.eval()
    media_nd, whole_n = _encode_media(session, data, between)
    text_nd = _encode_texts(session, data, between)
    session.encoder.train()
    return _Encoded(media_nd, text_nd, whole_n)


def _score(encoded: _Encoded, data: PairedData, between: Callable[[], None]) -> Evaluation:
    media_nd, text_nd, whole_n = encoded.media_nd, encoded.text_nd, encoded.whole_n
    rows, sizes = data.media_of_sample_n, data.size_n
    if not whole_n.all():  # damaged media and their captions are left out
        kept = whole_n[rows]
        media_nd, text_nd, rows = media_nd[whole_n], text_nd[kept], (whole_n.cumsum(0) - 1)[rows[kept]]
        sizes = None if sizes is None else sizes[kept.numpy()]
    return score_retrieval(
        media_nd.numpy(),
        text_nd.numpy(),
        rows.numpy(),
        cluster_size=sizes,
        resamples=0,
        progress=_Watched(between),
    )


@torch.no_grad()
def _encode_media(session: Session, data: PairedData, between: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """Embeddings ``[n, dimension]`` of all media, and whether each could be decoded ``[n]``."""
    count = len(data.media.ids)
    encoded = []
    for batch in encode_batches(
        lambda inputs: session.model(inputs, None)[0],
        data.media,
        session.fabric.device,
        rows=_share(session, count),
        batch_size=media_batch_size(data.media, session.encoder.settings["frames"]),
        workers=session.workers,
        max_bad=session.config.max_bad if session.graded is None else None,
    ):
        encoded.append(batch)
        between()
    session.note_damage(data, tuple(damaged for batch in encoded for damaged in batch.damaged))
    embedded = torch.cat([batch.vectors_nd for batch in encoded])
    decoded = torch.cat([batch.whole_n for batch in encoded]).float()
    return _gathered(session, embedded, count), _gathered(session, decoded, count) > 0


@torch.no_grad()
def _encode_texts(session: Session, data: PairedData, between: Callable[[], None]) -> Tensor:
    """Embeddings ``[n, dimension]`` of all captions."""
    parts = []
    for part in torch.split(_share(session, len(data.sample_ids)), _TEXTS_AT_ONCE):
        _, embedded = session.model(None, session.text_inputs(data, part))
        parts.append(embedded.float())
        between()
    return _gathered(session, torch.cat(parts), len(data.sample_ids))


def _share(session: Session, count: int) -> Tensor:
    """The rows that this process encodes; as many on each.

    Sharded models need every process at every forward pass: the last one goes round to the first rows again.
    """
    share = -(-count // session.fabric.world_size)
    return torch.arange(session.fabric.global_rank * share, (session.fabric.global_rank + 1) * share) % count


def _gathered(session: Session, mine: Tensor, count: int) -> Tensor:
    """The rows of all processes, on the CPU."""
    if session.processes is not None:
        mine = session.processes.gather(mine.to(session.fabric.device), [len(mine)] * session.processes.world_size)
    return mine[:count].cpu()
