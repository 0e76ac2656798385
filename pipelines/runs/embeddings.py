"""The embeddings that are compared, and where they come from: files as they are, or a run's model."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import read_vectors
from pipelines.errors import InputError


@dataclass(frozen=True)
class Embeddings:
    """What is compared.

    Attributes:
        media_nd: Embeddings of the media ``(n, d)``.
        text_md: Embeddings of the texts ``(m, d)``.
        bad_media: Why a medium can't be decoded, by its row; the embeddings of these stand for nothing.
    """

    media_nd: NDArray[np.float32]
    text_md: NDArray[np.float32]
    bad_media: dict[int, str] = field(default_factory=dict)


def compared_as_they_are(media: Path, text: Path, media_ids: pa.Array, text_ids: pa.ChunkedArray) -> Embeddings:
    """The vectors of two files of one space, in the order of the ids.

    Raises:
        InputError: A file can't be used, ids are missing there, or the dimensions don't fit.
    """
    media_nd = vectors_of(media, None, pa.chunked_array([media_ids]), "media")
    text_md = vectors_of(text, "sample_id", text_ids, "samples")
    if media_nd.shape[1] != text_md.shape[1]:
        raise InputError(
            f"{media} holds {media_nd.shape[1]}-dimensional vectors and {text} {text_md.shape[1]}-dimensional ones; "
            "give embeddings of one space, or the run that maps them into one"
        )
    return Embeddings(media_nd, text_md)


def vectors_of(path: Path, id_column: str | None, ids: pa.ChunkedArray, what: str) -> NDArray[np.float32]:
    """The vectors of some ids; those of a file in that very order are not copied, since galleries can be large."""
    vectors = read_vectors(path, id_column=id_column)
    rows = vectors.rows_of(ids, what)
    in_order = len(rows) == len(vectors.ids) and bool((rows == np.arange(len(rows))).all())
    return np.asarray(vectors.matrix_nd) if in_order else vectors.matrix_nd[rows]
