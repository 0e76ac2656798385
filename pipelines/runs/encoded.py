"""Embeddings of annotated media and texts through a run's model."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.artifacts import align, require_texts
from pipelines.media import MediaSource, StoredVectors, media_list, require_few_damaged
from pipelines.models import EncodedBatch, encode_batches, encode_texts, media_batch_size, open_inputs, require_size
from pipelines.runs.embeddings import Embeddings, vectors_of
from pipelines.runs.encoder import RunEncoder
from pipelines.runs.sources import Sources


def encode_with_run(
    encoder: RunEncoder,
    sources: Sources,
    annotations: pa.Table,
    media_ids: pa.Array,
    text_ids: pa.ChunkedArray,
    scratch: Path,
) -> Embeddings:
    """Embeddings of media and of texts, in the order of the ids, not normalised.

    Args:
        encoder: The run.
        sources: The files.
        annotations: What the annotations file holds, with ``media_id``.
        media_ids: Ids of the media ``(n,)``.
        text_ids: Ids of the samples whose texts are encoded ``(m,)``.
        scratch: A folder for features and embeddings that are too large for memory, see `read_vectors`.

    Raises:
        InputError: A file can't be used, ids are missing there, the run takes vectors of another size, or more media
            are damaged than may be.
    """
    media = open_annotated_media(encoder, sources, annotations, media_ids, scratch)
    texts = _texts(
        encoder, sources, annotations, text_ids, scratch
    )  # read before the media are encoded, which takes longer
    media_nd, bad_media = _vectors(encoder, media)
    return Embeddings(media_nd, _encoded(encoder, texts).numpy(), bad_media)


def encode_annotated_texts(
    encoder: RunEncoder, sources: Sources, annotations: pa.Table, text_ids: pa.ChunkedArray
) -> Tensor:
    """Embeddings ``[m, dimension]`` of some samples' texts, in the order of the ids, not normalised, on the CPU.

    Raises:
        InputError: A file can't be used, ids are missing there, or texts are empty.
    """
    return _encoded(encoder, _texts(encoder, sources, annotations, text_ids))


def _encoded(encoder: RunEncoder, texts: StoredVectors | list[str]) -> Tensor:
    return encode_texts(
        encoder.model,
        texts,
        encoder.device,
        precision=encoder.encoding.precision,
        batch_size=encoder.encoding.batch_size,
        progress=encoder.progress,
    )


def encode_with_prompts(
    encoder: RunEncoder,
    sources: Sources,
    annotations: pa.Table,
    media_ids: pa.Array,
    prompts: Sequence[str],
    scratch: Path,
) -> Embeddings:
    """Embeddings of annotated media in the order of the ids, and unit vectors of texts that are not annotated.

    Args:
        encoder: The run.
        sources: The files.
        annotations: What the annotations file holds, with ``media_id``.
        media_ids: Ids of the media ``(n,)``.
        prompts: The texts ``(m,)``.
        scratch: As for `encode_with_run`.

    Raises:
        InputError: As `encode_with_run`, or as `RunEncoder.texts`.
    """
    media = open_annotated_media(encoder, sources, annotations, media_ids, scratch)
    text_md = encoder.texts(prompts)  # first: what can't encode them is better told before the media are encoded
    media_nd, bad_media = _vectors(encoder, media)
    return Embeddings(media_nd, text_md, bad_media)


def _vectors(encoder: RunEncoder, media: MediaSource) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Embeddings of all media ``(n, d)``, and why some can't be decoded, by row."""
    bad_media: dict[int, str] = {}
    media_nd = torch.cat([batch.vectors_nd.cpu() for batch in media_batches(encoder, media, bad_media)])
    return media_nd.numpy(), bad_media


def _texts(
    encoder: RunEncoder,
    sources: Sources,
    annotations: pa.Table,
    text_ids: pa.ChunkedArray,
    scratch: Path | None = None,
) -> StoredVectors | list[str]:
    """What the run's model takes of some samples' texts: the texts, or their m embeddings."""
    if sources.text is not None:
        text_md = vectors_of(sources.text, "sample_id", text_ids, "samples", scratch)
        require_size(text_md.shape[1], encoder.model.settings["text_inputs"], sources.text, encoder.run)
        return StoredVectors(text_md)
    rows = align(text_ids, annotations.column("sample_id"), what="samples", path=sources.annotations)
    table = annotations.take(pa.array(rows))
    require_texts(table, sources.annotations)
    texts: list[str] = table.column("text").to_pylist()
    return texts


def open_annotated_media(
    encoder: RunEncoder,
    sources: Sources,
    annotations: pa.Table,
    media_ids: pa.Array,
    scratch: Path | None = None,
) -> MediaSource:
    """Some of the annotations' media, in the order of the ids, as the run's model takes them.

    Features that are too large for memory are on the disk, in the folder ``scratch``.

    Raises:
        InputError: A file can't be used, ids are missing there, or the run takes other media.
    """
    encoder.encoding.require_effect(on_pixels=encoder.model.media_tower is not None)
    named = annotations.filter(pc.is_in(annotations.column("media_id"), media_ids))
    wanted = media_list(named, sources.annotations).select(media_ids.to_pylist())
    return open_inputs(encoder.model, sources.media, wanted, encoder.run, scratch)


def media_batches(encoder: RunEncoder, media: MediaSource, bad_media: dict[int, str]) -> Iterator[EncodedBatch]:
    """Encode media as they are decoded, in their order; adds to ``bad_media`` why some can't be decoded, by row.

    Raises:
        InputError: More media are damaged than may be.
    """
    encoding = encoder.encoding
    encoded = encode_batches(
        encoder.model.embed_media,
        media,
        encoder.device,
        batch_size=encoding.batch_size or media_batch_size(media, encoder.model.settings["frames"]),
        precision=encoding.precision,
        workers=encoding.workers,
        max_bad=encoding.max_bad,
    )
    with encoder.progress.task("encoding media", len(media.ids), "media") as task:
        for batch in encoded:
            for each in batch.damaged:
                bad_media[each.row] = each.reason
                warnings.warn(f"{each.reason}; left out, with its texts", stacklevel=2)
            require_few_damaged({media.ids[row]: reason for row, reason in bad_media.items()}, encoding.max_bad)
            task.advance(len(batch.rows))
            yield batch
