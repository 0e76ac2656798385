"""Entry point of ``eval``: scores of retrieval or classification, of a run or of two embeddings files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.artifacts import ArtifactWriter, StagePlan, refuse_replacing_inputs
from pipelines.artifacts.files import replacing_json, require_folder
from pipelines.artifacts.needs import Need, announce, extent_of
from pipelines.artifacts.writers import one_writer, removing_new_folders
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.evaluate.captions import Gallery
from pipelines.evaluate.folder import finished_scores, refuse_other_folder, remove_scores_of_others
from pipelines.evaluate.misses import miss_table
from pipelines.evaluate.options import WHOLE_SPLITS, refuse_other_protocols, refuse_other_sources
from pipelines.evaluate.prompts import read_prompts
from pipelines.evaluate.protocols import (
    Inputs,
    Protocol,
    annotations_kind,
    score_captions,
    score_coco,
    score_kitchen,
    score_labels,
)
from pipelines.evaluate.query_table import query_table
from pipelines.evaluate.result import ScoresResult
from pipelines.model_files import takes_clips
from pipelines.progress import SILENT, Progress
from pipelines.remote import located
from pipelines.runs.sources import Sources, find_sources, how_trained
from pipelines.scores.bootstrap import RESAMPLES, require_draws
from pipelines.scores.ranks import BLOCK_BYTES, Ties

MIB = 2**20
_BASE, _PER_ROW, _PER_ID_BYTE = 0.4 * 2**30, 50, 4  # bytes, measured by benchmarks/scale.py


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
    column: str | None = None,
    templates: str | None = None,
    class_names: Path | str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block_memory: int = BLOCK_BYTES // MIB,
    encoding: Encoding = AS_IT_COMES,
    force: bool = False,
    progress: Progress = SILENT,
) -> ScoresResult:
    """Score retrieval in both directions, or classification, of a run or of two embeddings files.

    Args:
        output: Folder to write: ``metrics.json`` (every number with its interval), ``ranks.parquet`` (one row a query
            and direction) and ``misses.parquet`` (what the worst queries found instead); for ``classes`` in place of
            that ``classes.parquet`` (one row a class).
        run: Run folder; its model encodes the media and texts. Without it ``media`` and ``text`` are compared as they
            are.
        media: Features file; with a run on pixels images or clips, wherever they lie, or ``annotations`` for where
            the annotations' own column ``media`` says; the run's own by default.
        text: Embeddings file; the run's own by default. A run with a text model takes none: it reads the texts of the
            annotations. For ``classes`` a file with a vector for each class, whose ``sample_id`` is the class, in place
            of prompts.
        annotations: Annotations file; the run's own by default.
        frequency: What head, middle and tail follow from: a clusters or shifts file with the training cluster size of
            each sample, or the name of a column of the annotations that holds classes. By default what the run was
            trained with (its ``frequency``, else its shifts, else its clusters), where that knows the samples which
            are scored. Without either there are no thirds. For ``classes`` by default the number of training media of
            each class, which many, medium and few follow from too.
        split: Split to score; all rows where the annotations have no splits.
        protocol: ``captions`` (several texts per medium), ``pairs`` (exactly one), ``youcook2`` (``pairs`` by name),
            ``ek100`` (graded relevancy of clips and sentences), ``eccv`` (MSCOCO's 5K test split by the ground truths
            of MSCOCO, CxC and ECCV Caption, which the extra ``[eccv]`` brings; see `score_eccv` for the names) or
            ``classes`` (zero-shot classification of media by the texts of classes, see `score_classes`).
        gallery: What texts are to find: the media of the ``split``, or ``all`` of the media file, where those that the
            split has no text for are distractors: found, but no queries.
        ties: ``index``, ``optimistic`` or ``pessimistic``.
        folds: Contiguous folds of the media whose scores are averaged; 5 for MSCOCO-1K.
        relevancy: For ``ek100``: file that keeps the relevancies, made unless up to date; ``relevancy.parquet`` in the
            output folder by default.
        tail_classes: For ``ek100``: CSV file with the noun classes that also are scored by themselves.
        column: For ``classes``: the column of the annotations that holds them.
        templates: For ``classes``: name of a built-in set of templates, or a text file with one a line; each holds
            ``{}`` once, where the name of the class goes. The vector of a class is the mean of the unit vectors of all
            its prompts.
        class_names: For ``classes``: CSV file with columns ``class`` and ``text``, or a JSON object of texts by class;
            by default a class is called as in the column, with spaces for underscores.
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
        ``bad_media`` (why, by id); for ``classes`` the ``column``, how many ``candidates`` it has and how many of them
        are ``tested``, the ``templates``, and ``slope`` (see `Classification`).

    Raises:
        InputError: A file or option can't be used, or ids of one file are missing in another.
    """
    output = located(output)
    require_draws(resamples, seed)
    sources = find_sources(run, media, text, annotations, frequency, sizes_of_run=protocol != "classes")
    own_options = {
        "--relevancy": relevancy,
        "--tail-classes": tail_classes,
        "--column": column,
        "--templates": templates,
        "--class-names": class_names,
    }
    refuse_other_protocols(protocol, split, folds, gallery, own_options)
    refuse_other_sources(sources, protocol, encoding)
    if protocol in WHOLE_SPLITS:
        encoding = replace(encoding, max_bad=None)
    prompts = None
    if protocol == "classes":
        prompts = read_prompts(column, templates, class_names, vectors_given=text is not None)
    if block_memory < 1:
        raise InputError(f"--block-memory {block_memory}: expected 1 MiB or more")
    if seed and not resamples:
        raise InputError(f"--seed {seed}: seeds the bootstrap; leave it out with --resamples 0")
    refuse_other_folder(output, force=force)
    inputs = sources.inputs()
    if tail_classes is not None:
        inputs["tail classes"] = located(tail_classes)
    if prompts is not None:
        inputs |= prompts.inputs()
    ranks, metrics_file = output / "ranks.parquet", output / "metrics.json"
    misses, classes = output / "misses.parquet", output / "classes.parquet"
    beside, other = (misses, classes) if prompts is None else (classes, misses)
    kept = located(relevancy or output / "relevancy.parquet")
    for written in (metrics_file, beside):
        refuse_replacing_inputs(written, inputs.values())
    if protocol == "ek100":
        others = [*inputs.values(), ranks, misses, metrics_file]
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
                **(prompts.parameters() if prompts is not None else {}),
            },
            inputs,
            seed=seed,
            libraries=("numpy", "torch", "pyarrow"),
            foreign=(*(role for role in inputs if role.startswith("media")), *([] if sources.run else ["text"])),
            # 2: thirds by the run's shifts on other annotations too, wide greys; 3, 4: misses.parquet; 5: ties of
            # ek100; 6: large frames are scaled before their colours are converted.
            results=6 if sources.run is not None and takes_clips(sources.run) else 5,
        )
        if done := finished_scores(plan, metrics_file, beside, force=force):
            return ScoresResult(output, True, done.summary)

        announce(progress.note, _needs(sources, gallery, block_memory * MIB), output)
        options: dict[str, Any] = {
            "ties": ties,
            "resamples": resamples,
            "seed": seed,
            "block_bytes": block_memory * MIB,
        }
        kind = annotations_kind(protocol, with_run=sources.run is not None, column=column)
        read = Inputs(sources, kind, encoding, output, progress)
        if protocol == "ek100":
            scored = score_kitchen(read, split, kept, tail_classes, options, force=force)
        elif protocol == "eccv":
            scored = score_coco(read, {**options, "progress": progress})
        elif prompts is not None:
            scored = score_labels(read, prompts, split, {**options, "progress": progress})
        else:
            scored = score_captions(read, split, protocol, gallery, {**options, "folds": folds, "progress": progress})
        metrics = scored.evaluation.metrics() | {"cluster_sizes": scored.sizes.said} | scored.said
        if scored.bad_media:
            metrics["bad_media"] = scored.bad_media
        if gallery == "all":
            media_count, queries = len(scored.ids.media), metrics["queries"]["media_to_text"]
            metrics["gallery"] = {"media": media_count, "distractors": media_count - queries}
        if trained := how_trained(sources.run):
            metrics["trained"] = trained
        table = query_table(scored.evaluation, scored.ids) if scored.queries is None else scored.queries
        more = scored.beside
        if not isinstance(more, pa.Table):
            more = miss_table(scored.evaluation, scored.ids, more, options["block_bytes"])
        remove_scores_of_others(other)
        # None takes its place before there was room for all.
        with (
            replacing_json(metrics_file, metrics),
            ArtifactWriter(beside, more.schema, plan.provenance()) as second,
            plan.writer(table.schema) as writer,
        ):
            writer.summary = metrics
            writer.write(table)
            second.write(more)
            second.finish()
        return ScoresResult(output, False, metrics)


def _needs(sources: Sources, gallery: Gallery, block_bytes: int) -> Need:
    """What vectors of files and the blocks of their similarities take.

    What a run's model makes of them comes to these.
    """
    from pipelines.media import holds_features  # brings torch

    annotated = extent_of(sources.annotations)
    memory, disk = _BASE + block_bytes + _PER_ROW * annotated.rows + _PER_ID_BYTE * annotated.id_bytes, 0
    for path in (sources.media, sources.text):
        if path is not None and holds_features(path):
            extent = extent_of(path)
            in_gallery = path == sources.media and gallery == "all"
            scored = extent if in_gallery else replace(extent, rows=min(extent.rows, annotated.rows))
            memory += _PER_ROW * extent.rows + _PER_ID_BYTE * extent.id_bytes + scored.copies
            disk += scored.disk
    return Need(memory, disk)
