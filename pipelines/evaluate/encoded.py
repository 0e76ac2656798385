"""Embeddings of media and texts through a run's model."""

import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from pipelines.artifacts import align, require_texts
from pipelines.encoding import Encoding
from pipelines.evaluate.embeddings import Embeddings, vectors_of
from pipelines.evaluate.sources import Sources
from pipelines.media import MediaSource, media_list, require_few_damaged
from pipelines.models import (
    DualEncoder,
    choose_device,
    encode_batches,
    encode_texts,
    load_model,
    media_batch_size,
    open_inputs,
    require_size,
)
from pipelines.progress import Progress


def encode_with_run(
    sources: Sources,
    run: Path,
    annotations: pa.Table,
    media_ids: pa.Array,
    text_ids: pa.ChunkedArray,
    encoding: Encoding,
    progress: Progress,
) -> Embeddings:
    """Embeddings of media and of texts, in the order of the ids.

    Args:
        sources: The files.
        run: The run's folder.
        annotations: What the annotations file holds, with ``media_id``.
        media_ids: Ids of the media ``(n,)``.
        text_ids: Ids of the samples whose texts are encoded ``(m,)``.
        encoding: How to encode.
        progress: Where to report.

    Raises:
        InputError: A file can't be used, ids are missing there, the run takes vectors of another size, or more media
            are damaged than may be.
    """
    device = choose_device(encoding.device)
    model = load_model(run / "model", trust_remote_code=encoding.trust_remote_code).to(device)
    encoding.require_effect(on_pixels=model.media_tower is not None)
    scored = annotations.filter(pc.is_in(annotations.column("media_id"), media_ids))
    wanted = media_list(scored, sources.annotations).select(media_ids.to_pylist())
    media = open_inputs(model, sources.media, wanted, run)
    texts = _texts(sources, run, model, annotations, text_ids)  # read before the media are encoded, which takes longer
    media_nd, bad_media = _encode(model, media, device, encoding, progress)
    text_md = encode_texts(
        model, texts, device, precision=encoding.precision, batch_size=encoding.batch_size, progress=progress
    )
    return Embeddings(media_nd.numpy(), text_md.numpy(), bad_media)


def _texts(
    sources: Sources, run: Path, model: DualEncoder, annotations: pa.Table, text_ids: pa.ChunkedArray
) -> Tensor | list[str]:
    if sources.text is not None:
        text_md = vectors_of(sources.text, "sample_id", text_ids, "samples")
        require_size(text_md.shape[1], model.settings["text_inputs"], sources.text, run)
        return torch.from_numpy(text_md)
    rows = align(text_ids, annotations.column("sample_id"), what="samples", path=sources.annotations)
    table = annotations.take(pa.array(rows))
    require_texts(table, sources.annotations)
    texts: list[str] = table.column("text").to_pylist()
    return texts


def _encode(
    model: DualEncoder, media: MediaSource, device: torch.device, encoding: Encoding, progress: Progress
) -> tuple[Tensor, dict[int, str]]:
    """Embeddings ``[n, dimension]`` of all media, and why some can't be decoded, by row."""
    parts: list[Tensor] = []
    bad_media: dict[int, str] = {}
    encoded = encode_batches(
        model.embed_media,
        media,
        device,
        batch_size=encoding.batch_size or media_batch_size(media, model.settings["frames"]),
        precision=encoding.precision,
        workers=encoding.workers,
        max_bad=encoding.max_bad,
    )
    with progress.task("encoding media", len(media.ids), "media") as task:
        for batch in encoded:
            parts.append(batch.vectors_nd.cpu())
            for each in batch.damaged:
                bad_media[each.row] = each.reason
                warnings.warn(f"{each.reason}; left out, with its texts", stacklevel=2)
            require_few_damaged({media.ids[row]: reason for row, reason in bad_media.items()}, encoding.max_bad)
            task.advance(len(batch.rows))
    return torch.cat(parts), bad_media
