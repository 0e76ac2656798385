"""The vectors of a collection, kept in the run's folder so that the next search finds them there."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import StagePlan, StageResult, read_provenance, vector_schema, with_vectors
from pipelines.artifacts.provenance import is_intact
from pipelines.artifacts.writers import removing_new_folders
from pipelines.encoding import Encoding
from pipelines.runs.sources import Sources
from pipelines.search.collection import Among, Collection

if TYPE_CHECKING:  # brings torch
    from pipelines.runs.encoder import RunEncoder

KEPT_IN = "search"
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,40}")


@contextlib.contextmanager
def encoded(
    collection: Collection,
    split: str,
    sources: Sources,
    encoder: "RunEncoder",
    *,
    force: bool,
) -> Iterator[StageResult]:
    """Yield the file of a collection's vectors, ``media_id`` or ``sample_id`` and ``embedding``, as the run gives them.

    It is ``search/media-SPLIT.parquet`` or ``search/text-SPLIT.parquet`` in the run's folder, and made where it isn't
    up to date. Where nothing can be written there, a new one is temporary.

    Args:
        collection: What is searched.
        split: Its split.
        sources: The files.
        encoder: The run. Damaged media, where its ``encoding.max_bad`` lets some be, are left out.
        force: Encode even if the file is up to date.

    Raises:
        InputError: A file can't be used, ids are missing there, or more media are damaged than may be.
    """
    assert sources.run is not None
    name = split if _PLAIN.fullmatch(split) else hashlib.sha256(split.encode()).hexdigest()[:12]
    kept = sources.run / KEPT_IN / f"{collection.among}-{name}.parquet"
    with contextlib.ExitStack() as stack:
        output = kept
        if not os.access(sources.run, os.W_OK):
            output = Path(stack.enter_context(tempfile.TemporaryDirectory())) / kept.name
        stack.enter_context(removing_new_folders(output.parent))
        plan = _plan(output, collection.among, split, sources, encoder.encoding)
        if output != kept and not force and (found := _kept(kept, plan)):
            yield found
        elif done := plan.finished(force=force):
            yield done
        else:
            yield _write(plan, collection, sources, encoder)


def _plan(output: Path, among: Among, split: str, sources: Sources, encoding: Encoding) -> StagePlan:
    """What the vectors depend on: of the files only those of the side that is searched."""
    of_media = among == "media"
    inputs = {
        role: path
        for role, path in sources.inputs().items()
        if role in ("annotations", "run", "model") or (role.startswith("media") if of_media else role == "text")
    }
    linked = sources.linked_parameters() if of_media else {}
    return StagePlan(
        "search",
        output,
        {"among": among, "split": split, **encoding.record(), **linked},
        inputs,
        libraries=("torch", "pyarrow"),
        foreign=tuple(inputs),
    )


def _kept(path: Path, plan: StagePlan) -> StageResult | None:
    """An up-to-date file in a folder that can't be written to, which a plan to write there would refuse."""
    made = read_provenance(path) if path.is_file() else None
    if made is None or made.fingerprint != plan.fingerprint or not is_intact(path, made):
        return None
    return StageResult(path, True, made.summary)


def _write(plan: StagePlan, collection: Collection, sources: Sources, encoder: "RunEncoder") -> StageResult:
    """Encode batch by batch, each written as it comes."""
    ids = pa.table({collection.key: collection.ids})
    bad_media: dict[str, str] = {}
    schema = vector_schema(collection.key, encoder.model.dimension, "float32", split=False)
    with plan.writer(schema) as writer:
        for rows, vectors_nd in _vectors(collection, sources, encoder, bad_media):
            writer.write(with_vectors(ids.take(pa.array(rows)), vectors_nd, str(encoder.run)))
        writer.summary = {"rows": len(ids) - len(bad_media), "dimension": encoder.model.dimension}
        if bad_media:
            writer.summary["bad_media"] = bad_media
    return StageResult(plan.output, False, writer.summary)


def _vectors(
    collection: Collection, sources: Sources, encoder: "RunEncoder", bad_media: dict[str, str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Rows of the collection and their vectors ``[n, d]``; adds media that can't be decoded to ``bad_media``."""
    from pipelines.runs.encoded import encode_annotated_texts, media_batches, open_annotated_media

    if collection.among == "text":
        text_nd = encode_annotated_texts(encoder, sources, collection.annotations, collection.ids)
        yield np.arange(len(text_nd)), text_nd.numpy()
        return
    media = open_annotated_media(encoder, sources, collection.annotations, collection.ids.combine_chunks())
    bad_rows: dict[int, str] = {}
    for batch in media_batches(encoder, media, bad_rows):
        yield batch.rows[batch.whole_n].numpy(), batch.vectors_nd.cpu()[batch.whole_n].numpy()
    bad_media |= {media.ids[row]: reason for row, reason in bad_rows.items()}
