"""Encoding many media or texts with a dual encoder, in batches."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from pipelines.media import MediaSource
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.text import Tokens
from pipelines.progress import SILENT, Progress

Precision = Literal["32", "bf16-mixed", "16-mixed"]

_BATCH_ROWS = 512
_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def encode_media(
    model: DualEncoder,
    media: MediaSource,
    device: torch.device,
    *,
    precision: Precision = "32",
    batch_size: int = _BATCH_ROWS,
    progress: Progress = SILENT,
) -> Tensor:
    """Encode all media of a source.

    Args:
        model: The dual encoder, on the device, in evaluation mode.
        media: The media.
        device: Where to encode.
        precision: Precision of the forward pass, as in training.
        batch_size: Media in one forward pass.
        progress: Where to report.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU, in the order of ``media.ids``.

    Raises:
        InputError: A medium can't be read.
    """

    def embed(rows: Tensor) -> Tensor:
        return model.embed_media(media.batch(rows).to(device))

    order = torch.arange(len(media.ids))
    return _encode(embed, order, batch_size, _autocast(device, precision), ("encoding media", "media"), progress)


def encode_texts(
    model: DualEncoder,
    texts: Tensor | Sequence[str],
    device: torch.device,
    *,
    precision: Precision = "32",
    batch_size: int = _BATCH_ROWS,
    progress: Progress = SILENT,
) -> Tensor:
    """Encode texts, or text embeddings ``[n, d]``.

    Args:
        model: The dual encoder, on the device, in evaluation mode.
        texts: Text embeddings, or, for a model with a text tower, the texts.
        device: Where to encode.
        precision: Precision of the forward pass, as in training.
        batch_size: Texts in one forward pass.
        progress: Where to report.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU, in the order given.
    """

    def embed(rows: Tensor) -> Tensor:
        if isinstance(texts, Tensor):
            return model.embed_text(texts[rows].to(device))
        if model.text_tower is None:
            raise TypeError("without a text tower, texts are embeddings")
        tokens: Tokens = model.text_tower.tokenize([texts[row] for row in rows.tolist()])
        return model.embed_text({name: value.to(device) for name, value in tokens.items()})

    order = torch.arange(len(texts))
    if not isinstance(texts, Tensor):  # long texts together, so that little is padding
        order = torch.argsort(torch.tensor([len(text) for text in texts]), descending=True, stable=True)
    return _encode(embed, order, batch_size, _autocast(device, precision), ("encoding texts", "texts"), progress)


@torch.inference_mode()
def _encode(
    embed: Callable[[Tensor], Tensor],
    order: Tensor,
    batch_size: int,
    autocast: AbstractContextManager[object],
    words: tuple[str, str],
    progress: Progress,
) -> Tensor:
    parts = []
    with progress.task(words[0], len(order), words[1]) as task, autocast:
        for rows in order.split(batch_size):
            parts.append(embed(rows).float().cpu())
            task.advance(len(rows))
    return torch.cat(parts)[torch.argsort(order)]


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    return nullcontext() if precision == "32" else torch.autocast(device.type, dtype=_AUTOCAST[precision])
