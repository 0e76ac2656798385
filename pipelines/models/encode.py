"""Encoding many media or texts with a dual encoder, in batches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.device import decoding_workers
from pipelines.encoding import Precision
from pipelines.media import MediaSource, PlannedBatch, Replacement, StoredVectors, batches
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.text import Tokens
from pipelines.progress import SILENT, Progress

_VECTORS_AT_ONCE, _PICTURES_AT_ONCE, _TEXTS_AT_ONCE = 512, 64, 256
_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class EncodedBatch:
    """Some media of a source, encoded.

    Attributes:
        rows: Their rows ``[n]``.
        vectors_nd: Their embeddings ``[n, dimension]``, float32, on the device that encoded them.
        whole_n: Whether each could be decoded ``[n]``; the vectors of the others stand for nothing.
        damaged: Those that couldn't.
    """

    rows: Tensor
    vectors_nd: Tensor
    whole_n: Tensor
    damaged: tuple[Replacement, ...]


def encode_batches(
    encode: Callable[[Tensor], Tensor],
    media: MediaSource,
    device: torch.device,
    *,
    batch_size: int,
    rows: Tensor | None = None,
    precision: Precision = "32",
    workers: int | None = None,
    max_bad: int | None = 0,
) -> Iterator[EncodedBatch]:
    """Encode media as they are decoded, in evaluation views, without gradients.

    Args:
        encode: From inputs on the device to embeddings: a model's ``embed_media``, or what wraps it.
        media: The media.
        device: Where to encode.
        batch_size: Media in one forward pass.
        rows: Which media ``[n]``, in order; all if None.
        precision: Precision of the forward pass; ``32`` leaves it to ``encode``.
        workers: Processes that decode; by the device if None, see `decoding_workers`.
        max_bad: Above 0, damaged media are told and not raised; counting them is the caller's. None as for `batches`.

    Raises:
        InputError: A medium can't be decoded, and ``max_bad`` is 0 or None.
    """
    rows = torch.arange(len(media.ids)) if rows is None else rows
    plan = [PlannedBatch(0, step, part) for step, part in enumerate(torch.split(rows, batch_size)) if len(part)]
    workers = decoding_workers(workers, device)
    for loaded in batches(media, plan, workers=workers, seed=None, max_bad=max_bad):
        # No inference mode: what a sharded model sets up at its first pass would be of no use for training.
        with torch.no_grad(), _autocast(device, precision):
            vectors_nd = encode(loaded.inputs.to(device)).float()
        whole_n = torch.ones(len(loaded.media_rows), dtype=torch.bool)
        whole_n[[each.position for each in loaded.replacements]] = False
        yield EncodedBatch(loaded.media_rows, vectors_nd, whole_n, loaded.replacements)


def media_batch_size(media: MediaSource, frames: int | None) -> int:
    """How many media to encode at once: many features, fewer images, fewer clips the more frames they have."""
    return _VECTORS_AT_ONCE if media.is_in_memory else max(1, _PICTURES_AT_ONCE // (frames or 1))


def encode_media(
    model: DualEncoder,
    media: MediaSource,
    device: torch.device,
    *,
    precision: Precision = "32",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Encode all media of a source, none of which may be damaged.

    Args:
        model: The dual encoder, on the device, in evaluation mode.
        media: The media.
        device: Where to encode.
        precision: Precision of the forward pass, as in training.
        batch_size: Media in one forward pass; by their kind if None.
        workers: As for `encode_batches`.
        progress: Where to report.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU, in the order of ``media.ids``.

    Raises:
        InputError: A medium can't be read.
    """
    batch_size = batch_size or media_batch_size(media, model.settings["frames"])
    parts = []
    with progress.task("encoding media", len(media.ids), "media") as task:
        for batch in encode_batches(
            model.embed_media, media, device, batch_size=batch_size, precision=precision, workers=workers
        ):
            parts.append(batch.vectors_nd.cpu())
            task.advance(len(batch.rows))
    return torch.cat(parts)


def encode_texts(
    model: DualEncoder,
    texts: Tensor | StoredVectors | Sequence[str],
    device: torch.device,
    *,
    precision: Precision = "32",
    batch_size: int | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Encode texts, or text embeddings ``[n, d]``.

    Args:
        model: The dual encoder, on the device, in evaluation mode.
        texts: Text embeddings, or, for a model with a text tower, the texts.
        device: Where to encode.
        precision: Precision of the forward pass, as in training.
        batch_size: Texts in one forward pass; by their kind if None.
        progress: Where to report.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU, in the order given.
    """

    def embed(rows: Tensor) -> Tensor:
        if isinstance(texts, (Tensor, StoredVectors)):
            return model.embed_text(texts[rows].to(device))
        if model.text_tower is None:
            raise TypeError("without a text tower, texts are embeddings")
        tokens: Tokens = model.text_tower.tokenize([texts[row] for row in rows.tolist()])
        return model.embed_text({name: value.to(device) for name, value in tokens.items()})

    order = torch.arange(len(texts))
    if not isinstance(texts, (Tensor, StoredVectors)):  # long texts together, so that little is padding
        order = torch.argsort(torch.tensor([len(text) for text in texts]), descending=True, stable=True)
    batch_size = batch_size or (_VECTORS_AT_ONCE if isinstance(texts, (Tensor, StoredVectors)) else _TEXTS_AT_ONCE)
    parts = []
    with progress.task("encoding texts", len(order), "texts") as task:
        for rows in torch.split(order, batch_size):
            with torch.no_grad(), _autocast(device, precision):
                parts.append(embed(rows).float().cpu())
            task.advance(len(rows))
    return torch.cat(parts)[torch.argsort(order)]


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    return nullcontext() if precision == "32" else torch.autocast(device.type, dtype=_AUTOCAST[precision])
