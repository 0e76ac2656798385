"""The embeddings that are compared, and where they come from: files as they are, or a run's model."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipelines.artifacts import read_vectors
from pipelines.artifacts.matrix import Matrix, take
from pipelines.errors import InputError


@dataclass(frozen=True)
class Embeddings:
    """What is compared.

    Attributes:
        media_nd: Embeddings of the media ``(n, d)``.
        text_md: Embeddings of the texts ``(m, d)``.
        bad_media: Why a medium can't be decoded, by its row; the embeddings of these stand for nothing.
    """

    media_nd: Matrix
    text_md: Matrix
    bad_media: dict[int, str] = field(default_factory=dict)


def compared_as_they_are(
    media: Path, text: Path, media_ids: pa.Array, text_ids: pa.ChunkedArray, scratch: Path
) -> Embeddings:
    """The vectors of two files of one space, in the order of the ids; large ones are on the disk, in ``scratch``.

    Raises:
        InputError: A file can't be used, ids are missing there, or the dimensions don't fit.
    """
    media_nd = vectors_of(media, None, pa.chunked_array([media_ids]), "media", scratch)
    text_md = vectors_of(text, "sample_id", text_ids, "samples", scratch)
    if media_nd.shape[1] != text_md.shape[1]:
        raise InputError(
            f"{media} holds {media_nd.shape[1]}-dimensional vectors and {text} {text_md.shape[1]}-dimensional ones; "
            "give embeddings of one space, or the run that maps them into one"
        )
    return Embeddings(media_nd, text_md)


def vectors_of(path: Path, id_column: str | None, ids: pa.ChunkedArray, what: str, scratch: Path | None) -> Matrix:
    """The vectors of some ids, in their order; large ones are on the disk, in the folder ``scratch``."""
    vectors = read_vectors(path, id_column=id_column, only=ids, scratch=scratch)
    return take(vectors.matrix_nd, vectors.rows_of(ids, what))
