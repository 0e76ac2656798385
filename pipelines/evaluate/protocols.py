"""The protocols: what each reads of the annotations, and how it scores."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipelines.artifacts import ANNOTATIONS, CLIPS, Kind, clips_of, read_table, with_media_ids
from pipelines.artifacts.matrix import take
from pipelines.encoding import Encoding
from pipelines.errors import InputError
from pipelines.evaluate.captions import Gallery, captions_of
from pipelines.evaluate.classes import class_table, labelled_media, with_answers
from pipelines.evaluate.eccv import COCO_CAPTIONS, coco_captions_of
from pipelines.evaluate.misses import Compared
from pipelines.evaluate.prompts import Prompts, class_texts
from pipelines.evaluate.query_table import Ids, query_table
from pipelines.evaluate.relevancy import cached_relevancy
from pipelines.evaluate.tail_classes import read_tail_classes
from pipelines.progress import Progress
from pipelines.remote import located
from pipelines.runs.embeddings import Embeddings, compared_as_they_are
from pipelines.runs.sizes import Sizes, find_sizes
from pipelines.runs.sources import Sources
from pipelines.scores.classification import score_classes
from pipelines.scores.eccv import score_eccv
from pipelines.scores.ek100 import score_ek100
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import DIRECTIONS
from pipelines.scores.retrieval import score_retrieval
from pipelines.scores.similarity import EmbeddingMatrix, EmbeddingScores

Protocol = Literal["captions", "pairs", "youcook2", "ek100", "eccv", "classes"]


@dataclass(frozen=True)
class Scored:
    """What a protocol gives.

    Attributes:
        evaluation: The scores.
        ids: What the rows of the similarities are called.
        sizes: The cluster sizes that the thirds follow from.
        beside: What was scored, which misses are found in; for ``classes`` the rows of ``classes.parquet``.
        bad_media: Why media are left out, by id.
        said: What ``metrics.json`` holds besides.
        queries: Rows of ``ranks.parquet``, where they say more than `query_table` makes of the evaluation.
    """

    evaluation: Evaluation
    ids: Ids
    sizes: Sizes
    beside: Compared | pa.Table
    bad_media: dict[str, str] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    queries: pa.Table | None = None


class Inputs:
    """The annotations, read once, and the embeddings of what a protocol finds in them.

    Args:
        sources: The files.
        kind: What the annotations are read as, see `annotations_kind`.
        encoding: How a run's model encodes.
        scratch: A folder for embeddings that are too large for memory, see `read_vectors`.
        progress: Where to report.

    Raises:
        InputError: The annotations can't be used.
    """

    def __init__(self, sources: Sources, kind: Kind, encoding: Encoding, scratch: Path, progress: Progress) -> None:
        self.sources = sources
        self.path = sources.annotations
        self._encoding, self._scratch, self._progress = encoding, scratch, progress
        self.table = read_table(self.path, kind)

    def embeddings(self, media_ids: pa.Array, text_ids: pa.ChunkedArray) -> Embeddings:
        """Embeddings of media and of texts, in the order of the ids.

        Raises:
            InputError: A file can't be used, ids are missing there, the dimensions don't fit, or more media are damaged
                than may be.
        """
        sources = self.sources
        if sources.run is None:
            assert sources.media is not None
            assert sources.text is not None
            return compared_as_they_are(sources.media, sources.text, media_ids, text_ids, self._scratch)
        from pipelines.runs.encoded import encode_with_run  # these bring torch and transformers
        from pipelines.runs.encoder import RunEncoder

        encoder = RunEncoder(sources.run, self._encoding, self._progress)
        annotations = with_media_ids(self.table, self.path)
        return encode_with_run(encoder, sources, annotations, media_ids, text_ids, self._scratch)

    def embeddings_of_prompts(self, media_ids: pa.Array, prompts: list[str]) -> Embeddings:
        """Embeddings of media, in the order of the ids, and of texts that are in no file, by the run's model.

        Raises:
            InputError: A file can't be used, or the run can't encode new texts.
        """
        from pipelines.runs.encoded import encode_with_prompts  # these bring torch and transformers
        from pipelines.runs.encoder import RunEncoder

        assert self.sources.run is not None
        encoder = RunEncoder(self.sources.run, self._encoding, self._progress)
        annotations = with_media_ids(self.table, self.path)
        return encode_with_prompts(encoder, self.sources, annotations, media_ids, prompts, self._scratch)


def annotations_kind(protocol: Protocol, *, with_run: bool, column: str | None) -> Kind:
    """What a protocol reads of the annotations.

    Args:
        protocol: The protocol.
        with_run: Whether a run encodes: it reads texts. Without one there need be no more than the protocol's columns.
        column: The column of ``classes``, which are the texts of that protocol.
    """
    own = {"ek100": CLIPS, "eccv": COCO_CAPTIONS}.get(protocol, ANNOTATIONS)
    columns = own.columns | (ANNOTATIONS.columns if with_run else {})
    if column is not None:
        columns = {"sample_id": pa.string(), column: pa.string()}
    optional = {**ANNOTATIONS.optional, **own.optional}
    return Kind(own.name, own.key, columns, {name: optional[name] for name in optional if name not in columns})


def score_captions(inputs: Inputs, split: str, protocol: Protocol, gallery: Gallery, options: dict[str, Any]) -> Scored:
    """``captions``, ``pairs`` and ``youcook2``: one or several texts per medium; damaged media are left out."""
    captions = captions_of(inputs.table, inputs.path, split, inputs.sources.media, gallery)
    found = inputs.embeddings(captions.media_ids, captions.sample_ids)
    media_nd, text_md = found.media_nd, found.text_md
    bad_media = {captions.media_ids[row].as_py(): reason for row, reason in found.bad_media.items()}
    if bad_media:
        whole_n = np.ones(len(media_nd), dtype=np.bool_)
        whole_n[list(found.bad_media)] = False
        captions, kept_m = captions.of_media(whole_n)
        media_nd, text_md = take(media_nd, np.flatnonzero(whole_n)), take(text_md, np.flatnonzero(kept_m))
        if not len(media_nd):
            raise InputError(f"{inputs.path}: none of the media of split '{split}' can be decoded")
    sizes = find_sizes(inputs.sources, captions.sample_ids)
    evaluation = score_retrieval(
        media_nd,
        text_md,
        captions.media_of_text,
        protocol="captions" if protocol == "captions" else "pairs",
        distractors=gallery == "all",
        cluster_size=sizes.size_n,
        **options,
    )
    ids = Ids(captions.media_ids, captions.sample_ids.combine_chunks())
    compared = Compared(media_nd, text_md, captions.media_of_text)
    return Scored(dataclasses.replace(evaluation, protocol=protocol), ids, sizes, compared, bad_media)


def score_coco(inputs: Inputs, options: dict[str, Any]) -> Scored:
    """``eccv``: MSCOCO's test captions, known by their ids."""
    captions = coco_captions_of(inputs.table, inputs.path)
    found = inputs.embeddings(captions.media_ids, captions.sample_ids)
    sizes = find_sizes(inputs.sources, captions.sample_ids)
    evaluation = score_eccv(
        np.asarray(found.media_nd), np.asarray(found.text_md), captions.truth, cluster_size=sizes.size_n, **options
    )
    truth = captions.truth
    positives = {name: (truth.eccv[name], truth.cxc[name]) for name in DIRECTIONS}
    compared = Compared(found.media_nd, found.text_md, truth.text_media_index, positives=positives)
    return Scored(evaluation, Ids(captions.media_ids, captions.sample_ids.combine_chunks()), sizes, compared)


def score_kitchen(
    inputs: Inputs,
    split: str,
    relevancy: Path,
    tail_classes: Path | str | None,
    options: dict[str, Any],
    *,
    force: bool,
) -> Scored:
    """``ek100``: clips and sentences that are relevant to each other by degrees."""
    clips = clips_of(inputs.table, split, inputs.path)
    tail_class = None if tail_classes is None else read_tail_classes(located(tail_classes), clips.noun_class)
    found = inputs.embeddings(clips.media_ids, clips.sentence_ids)
    sizes = find_sizes(inputs.sources, clips.sample_ids)
    graded = cached_relevancy(relevancy, inputs.path, split, clips, force=force)
    evaluation = score_ek100(
        EmbeddingScores(found.media_nd, found.text_md),
        graded,
        clips.clip_of_sentence,
        cluster_size=sizes.size_n,
        tail_class=tail_class,
        **options,
    )
    compared = Compared(found.media_nd, found.text_md, clips.clip_of_sentence, graded)
    return Scored(evaluation, Ids(clips.media_ids, clips.sentence_ids.combine_chunks()), sizes, compared)


def score_labels(inputs: Inputs, prompts: Prompts, split: str, options: dict[str, Any]) -> Scored:
    """``classes``: media against the texts of the classes in a column; damaged media are left out."""
    labelled = labelled_media(inputs.table, inputs.path, prompts.column, split, inputs.sources.frequency)
    texts: list[str] | None = None
    if prompts.templates is None:
        found = inputs.embeddings(labelled.media_ids, pa.chunked_array([labelled.classes], pa.string()))
        class_cd: EmbeddingMatrix = found.text_md
    else:
        texts = class_texts(labelled.classes, prompts.column, prompts.class_names)
        found = inputs.embeddings_of_prompts(labelled.media_ids, prompts.templates.prompts(texts))
        class_cd = prompts.templates.mean(np.asarray(found.text_md))
    bad_media = {labelled.media_ids[row].as_py(): reason for row, reason in found.bad_media.items()}
    whole_n = np.ones(len(found.media_nd), dtype=np.bool_)
    whole_n[list(found.bad_media)] = False
    labelled, media_nd = labelled.of_media(whole_n), take(found.media_nd, np.flatnonzero(whole_n))
    if not len(media_nd):
        raise InputError(f"{inputs.path}: none of the media of split '{split}' can be decoded")
    classified = score_classes(media_nd, class_cd, labelled.label_n, train_count=labelled.train_count_c, **options)
    ids = Ids(labelled.media_ids, pa.array(labelled.classes))
    said: dict[str, Any] = {
        "classes": {
            "column": prompts.column,
            "candidates": len(labelled.classes),
            "tested": int(np.count_nonzero(classified.test_count)),
        },
        "slope": classified.slope,
    }
    if prompts.templates is not None:
        said["templates"] = list(prompts.templates.texts)
    return Scored(
        classified.evaluation,
        ids,
        Sizes(None, labelled.said),
        class_table(labelled, texts, classified),
        bad_media,
        said,
        with_answers(query_table(classified.evaluation, ids), labelled, classified),
    )
