"""Encoding many media or texts with a dual encoder, in batches."""

from collections.abc import Callable

import torch
from torch import Tensor

from pipelines.media import MediaSource
from pipelines.models.dual_encoder import DualEncoder
from pipelines.progress import SILENT, Progress

_BATCH_ROWS = 512


def encode_media(
    model: DualEncoder, media: MediaSource, device: torch.device, *, progress: Progress = SILENT
) -> Tensor:
    """Encode all media of a source.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU, in the order of ``media.ids``.

    Raises:
        InputError: A medium can't be read.
    """
    return _encode(model.embed_media, media.batch, len(media.ids), device, ("encoding media", "media"), progress)


def encode_texts(model: DualEncoder, text_nd: Tensor, device: torch.device, *, progress: Progress = SILENT) -> Tensor:
    """Encode text embeddings ``[n, d]``.

    Returns:
        ``[n, dimension]``, not normalised, float32, on the CPU.
    """
    return _encode(
        model.embed_text, lambda rows: text_nd[rows], len(text_nd), device, ("encoding texts", "texts"), progress
    )


@torch.inference_mode()
def _encode(
    embed: Callable[[Tensor], Tensor],
    batch: Callable[[Tensor], Tensor],
    rows: int,
    device: torch.device,
    words: tuple[str, str],
    progress: Progress,
) -> Tensor:
    parts = []
    with progress.task(words[0], rows, words[1]) as task:
        for start in range(0, rows, _BATCH_ROWS):
            part = torch.arange(start, min(start + _BATCH_ROWS, rows))
            parts.append(embed(batch(part).to(device)).float().cpu())
            task.advance(len(part))
    return torch.cat(parts)
