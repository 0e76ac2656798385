"""Entry point of ``eval``: scores of a run, or of two embeddings files."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any, get_args

from pipelines.artifacts import StagePlan, StageResult, refuse_replacing_inputs
from pipelines.artifacts.files import nearest, read_json, replacing_json, require_folder
from pipelines.artifacts.writers import one_writer, removing_new_folders
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.evaluate.captions import Gallery
from pipelines.evaluate.protocols import Inputs, Protocol, score_captions, score_coco, score_kitchen
from pipelines.evaluate.query_table import query_table
from pipelines.progress import SILENT, Progress
from pipelines.runs.sources import Sources, find_sources, how_trained
from pipelines.scores.bootstrap import RESAMPLES, require_draws
from pipelines.scores.ranks import BLOCK_BYTES, Ties

MIB = 2**20


@one_writer
def evaluate(
    output: Path | str,
    *,
    run: Path | str | None = None,
    media: Path | str | None = None,
    text: Path | str | None = None,
    annotations: Path | str | None = None,
    frequency: Path | str | None = None,
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
        frequency: What head, middle and tail follow from: a clusters or shifts file with the training cluster size of
            each sample, or the name of a column of the annotations that holds classes. By default what the run was
            trained with (its ``frequency``, else its shifts, else its clusters), where that knows the samples which
            are scored. Without either there are no thirds.
        split: Split to score; all rows where the annotations have no splits.
        protocol: ``captions`` (several texts per medium), ``pairs`` (exactly one), ``youcook2`` (``pairs`` by name),
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
        The summary is what ``metrics.json`` holds: see `Evaluation.metrics`; ``cluster_sizes``, where these come from,
        or why there are none and so no thirds; with a run ``trained`` (its parameters, input files and seed); with
        distractors ``gallery`` (how many media there are, and how many of them are ``distractors``), with damaged media
        ``bad_media`` (why, by id).

    Raises:
        InputError: A file or option can't be used, or ids of one file are missing in another.
    """
    output = Path(output)
    require_draws(resamples, seed)
    sources = find_sources(run, media, text, annotations, frequency)
    _refuse_other_protocols(protocol, split, folds, gallery, relevancy, tail_classes)
    _refuse_other_sources(sources, protocol, encoding)
    if block_memory < 1:
        raise InputError(f"--block-memory {block_memory}: expected 1 MiB or more")
    if seed and not resamples:
        raise InputError(f"--seed {seed}: seeds the bootstrap; leave it out with --resamples 0")
    _refuse_other_folder(output, force=force)
    inputs = sources.inputs()
    if tail_classes is not None:
        inputs["tail classes"] = Path(tail_classes)
    ranks, metrics_file = output / "ranks.parquet", output / "metrics.json"
    kept = Path(relevancy or output / "relevancy.parquet")
    refuse_replacing_inputs(metrics_file, inputs.values())
    if protocol == "ek100":
        others = [*inputs.values(), ranks, metrics_file]
        refuse_replacing_inputs(kept, others if sources.run is None else [*others, sources.run])
    with removing_new_folders(output):
        require_folder(output)
        plan = StagePlan(
            "eval",
            ranks,
            {
                "split": split,
                "protocol": protocol,
                "ties": ties,
                "gallery": gallery,
                "folds": folds,
                "resamples": resamples,
                **encoding.record(),
                **sources.parameters(),
            },
            inputs,
            seed=seed,
            libraries=("numpy", "torch", "pyarrow"),
            foreign=(*(role for role in inputs if role.startswith("media")), *([] if sources.run else ["text"])),
            results=2,  # 2: thirds by the run's shifts on other annotations too; transparency and wide greys
        )
        if done := _finished(plan, metrics_file, force=force):
            return StageResult(output, True, done.summary)

        options: dict[str, Any] = {
            "ties": ties,
            "resamples": resamples,
            "seed": seed,
            "block_bytes": block_memory * MIB,
        }
        read = Inputs(sources, protocol, encoding, progress)
        if protocol == "ek100":
            scored = score_kitchen(read, split, kept, tail_classes, options, force=force)
        elif protocol == "eccv":
            scored = score_coco(read, {**options, "progress": progress})
        else:
            scored = score_captions(read, split, protocol, gallery, {**options, "folds": folds, "progress": progress})
        metrics = scored.evaluation.metrics() | {"cluster_sizes": scored.sizes.said}
        if scored.bad_media:
            metrics["bad_media"] = scored.bad_media
        if gallery == "all":
            media_count, queries = len(scored.ids.media), metrics["queries"]["media_to_text"]
            metrics["gallery"] = {"media": media_count, "distractors": media_count - queries}
        if trained := how_trained(sources.run):
            metrics["trained"] = trained
        table = query_table(scored.evaluation, scored.ids)
        # Neither takes its place before there was room for both.
        with replacing_json(metrics_file, metrics), plan.writer(table.schema) as writer:
            writer.summary = metrics
            writer.write(table)
        return StageResult(output, False, metrics)


def _refuse_other_folder(output: Path, *, force: bool) -> None:
    """Refuse a run's folder, and without ``force`` one that holds anything but scores."""
    if (output / "config.json").exists():
        raise InputError(f"{output}: is a run folder, whose files the scores would replace; choose another -o")
    if force or not output.is_dir() or not any(output.iterdir()) or (output / "ranks.parquet").exists():
        return
    if _read_metrics(output / "metrics.json") is None:
        raise InputError(f"{output}: holds files that are not scores; use --force, or another output folder")


def _finished(plan: StagePlan, metrics_file: Path, *, force: bool) -> StageResult | None:
    """The result of an earlier run, where both files are as it wrote them; damaged ones are made again.

    Raises:
        InputError: ``ranks.parquet`` isn't what mmts wrote, and nothing beside it says that the folder holds scores.
    """
    metrics = _read_metrics(metrics_file)
    try:
        done = plan.finished(force=force)
    except InputError:
        if metrics is None:
            raise
        warnings.warn(f"{plan.output}: damaged or changed since mmts wrote it; made again", stacklevel=3)
        return None
    if done and metrics != done.summary:
        if metrics_file.exists():
            warnings.warn(f"{metrics_file}: damaged or changed since mmts wrote it; made again", stacklevel=3)
        return None
    return done


def _read_metrics(path: Path) -> dict[str, Any] | None:
    """What a folder's ``metrics.json`` holds; None where it isn't what ``eval`` writes."""
    try:
        metrics = read_json(path)
    except InputError:
        return None
    return metrics if isinstance(metrics, dict) and {"protocol", "ties", "scores"} <= set(metrics) else None


def _refuse_other_sources(sources: Sources, protocol: Protocol, encoding: Encoding) -> None:
    """Refuse options of encoding where nothing is encoded, or nothing may be left out."""
    if sources.run is None:
        for field in dataclasses.fields(encoding):
            if getattr(encoding, field.name) != field.default:
                raise InputError(
                    f"--{field.name.replace('_', '-')}: has an effect only where a run encodes; leave it out"
                )
    if encoding.max_bad and protocol in ("ek100", "eccv"):
        raise InputError(f"--max-bad: {protocol} scores a whole published test set; replace damaged media instead")


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
        raise InputError("--folds divides the media of a split; leave it out with --gallery all")
    if protocol == "eccv" and split != "test":
        raise InputError(f"--split {split}: protocol eccv scores MSCOCO's test split; leave it out")
