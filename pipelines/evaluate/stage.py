"""Entry point of ``eval``: scores of a run, or of two embeddings files."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from pipelines.artifacts import StagePlan, StageResult, read_clips
from pipelines.artifacts.files import nearest, require_folder, write_json
from pipelines.artifacts.writers import one_writer, removing_new_folders
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.evaluate.captions import Gallery, read_captions
from pipelines.evaluate.eccv import read_coco_captions
from pipelines.evaluate.query_table import Ids, query_table
from pipelines.evaluate.relevancy import cached_relevancy
from pipelines.evaluate.sources import Sources, find_sources, load_cluster_sizes, load_embeddings
from pipelines.evaluate.tail_classes import read_tail_classes
from pipelines.progress import SILENT, Progress
from pipelines.scores.bootstrap import RESAMPLES
from pipelines.scores.eccv import score_eccv
from pipelines.scores.ek100 import score_ek100
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.ranks import BLOCK_BYTES, Ties
from pipelines.scores.retrieval import score_retrieval
from pipelines.scores.similarity import EmbeddingScores

Protocol = Literal["captions", "pairs", "youcook2", "ek100", "eccv"]
MIB = 2**20


@one_writer
def evaluate(
    output: Path | str,
    *,
    run: Path | str | None = None,
    media: Path | str | None = None,
    text: Path | str | None = None,
    annotations: Path | str | None = None,
    clusters: Path | str | None = None,
    split: str = "test",
    protocol: Protocol = "captions",
    gallery: Gallery = "split",
    ties: Ties = "index",
    folds: int = 1,
    relevancy: Path | str | None = None,
    tail_classes: Path | str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_memory: int = BLOCK_BYTES // MIB,
    encoding: Encoding = AS_IT_COMES,
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Score retrieval in both directions, of a run or of two embeddings files.

    Args:
        output: Folder to write: ``metrics.json`` (every number with its interval) and ``ranks.parquet`` (one row a
            query and direction).
        run: Run folder; its model encodes the media and texts. Without it ``media`` and ``text`` are compared as they
            are.
        media: Features file; with a run on pixels images or clips, wherever they lie, or ``annotations`` for where
            the annotations' own column ``media`` says; the run's own by default.
        text: Embeddings file; the run's own by default. A run with a text model takes none: it reads the texts of the
            annotations.
        annotations: Annotations file; the run's own by default.
        clusters: Clusters or shifts file with the training cluster size of each sample, for head, middle and tail; by
            default the shifts the run was trained with, unless other annotations are given. Without either there are no
            thirds.
        split: Split to score; all rows where the annotations have no splits.
        protocol: ``captions`` (several texts a medium), ``pairs`` (exactly one), ``youcook2`` (pairs under that name),
            ``ek100`` (graded relevancy of clips and sentences) or ``eccv`` (MSCOCO's 5K test split by the ground truths
            of MSCOCO, CxC and ECCV Caption, which the extra ``[eccv]`` brings; see `score_eccv` for the names).
        gallery: What texts are to find: the media of the ``split``, or ``all`` of the media file, where those that the
            split has no text for are distractors: found, but no queries.
        ties: ``index``, ``optimistic`` or ``pessimistic``.
        folds: Contiguous folds of the media whose scores are averaged; 5 for MSCOCO-1K.
        relevancy: For ``ek100``: file that keeps the relevancies, made unless up to date; ``relevancy.parquet`` in the
            output folder by default.
        tail_classes: For ``ek100``: CSV file with the noun classes that also are scored by themselves.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Seed of the bootstrap.
        block_memory: Memory bound of the blocks that similarities are made in, in MiB. It changes no score.
        encoding: How a run's model encodes. Damaged media, where ``encoding.max_bad`` lets some be, are left out of the
            scores with their texts.
        force: Score even if the output is up to date.
        progress: Where to report.

    Returns:
        The summary is what ``metrics.json`` holds: see `Evaluation.metrics`, and with distractors ``gallery`` (how many
        media there are, and how many of them are ``distractors``), with damaged media ``bad_media`` (why, by id).

    Raises:
        InputError: A file or option can't be used, or ids of one file are missing in another.
    """
    output = Path(output)
    sources = find_sources(run, media, text, annotations, clusters)
    _refuse_other_protocols(protocol, split, folds, gallery, relevancy, tail_classes)
    _refuse_other_sources(sources, protocol, encoding)
    if block_memory < 1:
        raise InputError(f"--block-memory {block_memory}: expected 1 MiB or more")
    strange = output.is_dir() and any(output.iterdir()) and not (output / "ranks.parquet").exists()
    if strange and not force and not (output / "config.json").exists():
        raise InputError(f"{output}: is a folder with files that are no scores; use --force, or another output folder")
    if (output / "config.json").exists():
        raise InputError(f"{output}: is a run folder, whose files scores would replace; give -o a folder of its own")
    inputs = sources.inputs()
    if tail_classes is not None:
        inputs["tail classes"] = Path(tail_classes)
    with removing_new_folders(output):
        require_folder(output)
        plan = StagePlan(
            "eval",
            output / "ranks.parquet",
            {
                "split": split,
                "protocol": protocol,
                "ties": ties,
                "gallery": gallery,
                "folds": folds,
                "resamples": resamples,
                **encoding.record(),
            },
            inputs,
            seed=seed,
            libraries=("numpy", "torch", "pyarrow"),
            foreign=(*(role for role in inputs if role.startswith("media")), *([] if sources.run else ["text"])),
        )
        if (done := plan.finished(force=force)) and (output / "metrics.json").exists():
            return StageResult(output, True, done.summary)

        block_bytes = block_memory * MIB
        options: dict[str, Any] = {"ties": ties, "resamples": resamples, "seed": seed, "block_bytes": block_bytes}
        load: dict[str, Any] = {"encoding": encoding, "progress": progress}
        bad_media: dict[str, str] = {}
        if protocol == "ek100":
            kept = Path(relevancy or output / "relevancy.parquet")
            evaluation, ids = _score_ek100(sources, split, kept, tail_classes, options, load, force=force)
        elif protocol == "eccv":
            evaluation, ids = _score_eccv(sources, {**options, "progress": progress}, load)
        else:
            ranked = {**options, "folds": folds, "progress": progress}
            evaluation, ids, bad_media = _score_captions(sources, split, protocol, gallery, ranked, load)
        metrics = evaluation.metrics() | ({"bad_media": bad_media} if bad_media else {})
        if gallery == "all":
            queries = metrics["queries"]["media_to_text"]
            metrics["gallery"] = {"media": len(ids.media), "distractors": len(ids.media) - queries}
        write_json(output / "metrics.json", metrics)
        table = query_table(evaluation, ids)
        with plan.writer(table.schema) as writer:
            writer.summary = metrics
            writer.write(table)
        return StageResult(output, False, metrics)


def _score_captions(
    sources: Sources, split: str, protocol: Protocol, gallery: Gallery, options: dict[str, Any], load: dict[str, Any]
) -> tuple[Evaluation, Ids, dict[str, str]]:
    """``captions``, ``pairs`` and ``youcook2``: one or several texts a medium; also why media are left out, by id."""
    captions = read_captions(sources.annotations, split, sources.media, gallery)
    found = load_embeddings(sources, captions.media_ids, captions.sample_ids, **load)
    media_nd, text_md = found.media_nd, found.text_md
    bad_media = {captions.media_ids[row].as_py(): reason for row, reason in found.bad_media.items()}
    if bad_media:
        whole_n = np.ones(len(media_nd), dtype=np.bool_)
        whole_n[list(found.bad_media)] = False
        captions, kept_m = captions.of_media(whole_n)
        media_nd, text_md = media_nd[whole_n], text_md[kept_m]
        if not len(media_nd):
            raise InputError(f"{sources.annotations}: none of the media of split '{split}' can be decoded")
    evaluation = score_retrieval(
        media_nd,
        text_md,
        captions.media_of_text,
        protocol="captions" if protocol == "captions" else "pairs",
        distractors=gallery == "all",
        cluster_size=load_cluster_sizes(sources.clusters, captions.sample_ids),
        **options,
    )
    ids = Ids(captions.media_ids, captions.sample_ids.combine_chunks())
    return dataclasses.replace(evaluation, protocol=protocol), ids, bad_media


def _score_eccv(sources: Sources, options: dict[str, Any], load: dict[str, Any]) -> tuple[Evaluation, Ids]:
    """``eccv``: MSCOCO's test captions, known by their ids."""
    captions = read_coco_captions(sources.annotations)
    found = load_embeddings(sources, captions.media_ids, captions.sample_ids, **load)
    evaluation = score_eccv(
        found.media_nd,
        found.text_md,
        captions.truth,
        cluster_size=load_cluster_sizes(sources.clusters, captions.sample_ids),
        **options,
    )
    return evaluation, Ids(captions.media_ids, captions.sample_ids.combine_chunks())


def _score_ek100(
    sources: Sources,
    split: str,
    relevancy: Path,
    tail_classes: Path | str | None,
    options: dict[str, Any],
    load: dict[str, Any],
    *,
    force: bool,
) -> tuple[Evaluation, Ids]:
    """``ek100``: clips and sentences that are relevant to each other by degrees."""
    clips = read_clips(sources.annotations, split)
    tail_class = None if tail_classes is None else read_tail_classes(Path(tail_classes), clips.noun_class)
    found = load_embeddings(sources, clips.media_ids, clips.sentence_ids, **load)
    evaluation = score_ek100(
        EmbeddingScores(found.media_nd, found.text_md),
        cached_relevancy(relevancy, sources.annotations, split, clips, force=force),
        clips.clip_of_sentence,
        cluster_size=load_cluster_sizes(sources.clusters, clips.sample_ids),
        tail_class=tail_class,
        **options,
    )
    return evaluation, Ids(clips.media_ids, clips.sentence_ids.combine_chunks())


def _refuse_other_sources(sources: Sources, protocol: Protocol, encoding: Encoding) -> None:
    """Refuse options of encoding where nothing is encoded, or nothing may be left out."""
    if sources.run is None:
        for field in dataclasses.fields(encoding):
            if getattr(encoding, field.name) != field.default:
                raise InputError(f"--{field.name.replace('_', '-')}: is for a run, which encodes; leave it out")
    if encoding.max_bad and protocol in ("ek100", "eccv"):
        raise InputError(f"--max-bad: {protocol} scores a published test set, whole; mend the media, or leave it out")


def _refuse_other_protocols(
    protocol: str,
    split: str,
    folds: int,
    gallery: str,
    relevancy: Path | str | None,
    tail_classes: Path | str | None,
) -> None:
    """Refuse an unknown protocol, and options that it has no use for."""
    names = list(get_args(Protocol))
    if protocol not in names:
        raise InputError(f"--protocol {protocol}: expected one of {', '.join(names)}{nearest(protocol, names)}")
    if gallery not in get_args(Gallery):
        raise InputError(f"--gallery {gallery}: expected one of {', '.join(get_args(Gallery))}")
    for option, value in (("--relevancy", relevancy), ("--tail-classes", tail_classes)):
        if value is not None and protocol != "ek100":
            raise InputError(f"{option}: is for --protocol ek100; leave it out with {protocol}")
    for option, given in (("--folds", folds != 1), ("--gallery all", gallery != "split")):
        if given and protocol in ("ek100", "eccv"):
            raise InputError(f"{option}: is for --protocol captions and pairs; leave it out with {protocol}")
    if gallery != "split" and folds != 1:
        raise InputError("--folds: divide the media of a split; leave them out with --gallery all")
    if protocol == "eccv" and split != "test":
        raise InputError(f"--split {split}: protocol eccv scores MSCOCO's test split; leave it out")
