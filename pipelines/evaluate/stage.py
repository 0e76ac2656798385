"""Entry point of ``eval``: scores of a run, or of two embeddings files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import (
    RANKS,
    Kind,
    StagePlan,
    StageResult,
    align,
    read_annotations,
    read_table,
    read_vectors,
    rows_of_split,
)
from pipelines.artifacts.files import read_json, require_folder, write_json
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.scores.bootstrap import RESAMPLES
from pipelines.scores.evaluation import Evaluation
from pipelines.scores.queries import DIRECTIONS
from pipelines.scores.ranks import Ties
from pipelines.scores.retrieval import Protocol, score_retrieval
from pipelines.scores.thirds import THIRDS

_RANKS_SCHEMA = pa.schema([*RANKS.columns.items(), ("media_id", pa.string()), ("tied", pa.bool_())])
_SIZES = Kind("clusters or shifts", "sample_id", {"sample_id": pa.string(), "cluster_size": pa.float64()})


@dataclass(frozen=True)
class _Sources:
    """The files that are scored."""

    annotations: Path
    media: Path
    text: Path
    clusters: Path | None
    run: Path | None


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
    ties: Ties = "index",
    folds: int = 1,
    resamples: int = RESAMPLES,
    seed: int = 0,
    device: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Score retrieval in both directions, of a run or of two embeddings files.

    Args:
        output: Folder to write: ``metrics.json`` (every number with its interval) and ``ranks.parquet`` (one row a
            query and direction).
        run: Run folder; its model encodes the media and texts. Without it ``media`` and ``text`` are compared as they
            are.
        media: Features file (or images, with a run); the run's own by default.
        text: Embeddings file; the run's own by default.
        annotations: Annotations file; the run's own by default.
        clusters: Clusters or shifts file with the training cluster size of each sample, for head, middle and tail; by
            default the shifts the run was trained with, unless other annotations are given. Without either there are no
            thirds.
        split: Split to score; all rows where the annotations have no splits.
        protocol: ``captions`` (several texts a medium) or ``pairs`` (exactly one).
        ties: ``index``, ``optimistic`` or ``pessimistic``.
        folds: Contiguous folds of the media whose scores are averaged; 5 for MSCOCO-1K.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Seed of the bootstrap.
        device: Torch device that encodes; a GPU where there is one if None.
        force: Score even if the output is up to date.
        progress: Where to report.

    Returns:
        The summary is what ``metrics.json`` holds.

    Raises:
        InputError: A file or option can't be used, or ids of one file are missing in another.
    """
    output = Path(output)
    sources = _sources(run, media, text, annotations, clusters)
    require_folder(output)
    inputs = {"annotations": sources.annotations, "media": sources.media, "text": sources.text}
    if sources.clusters is not None:
        inputs["clusters"] = sources.clusters
    if sources.run is not None:
        inputs["run"] = sources.run / "steps.parquet"
    plan = StagePlan(
        "eval",
        output / "ranks.parquet",
        {"split": split, "protocol": protocol, "ties": ties, "folds": folds, "resamples": resamples},
        inputs,
        seed=seed,
        libraries=("numpy", "torch", "pyarrow"),
        foreign=("media", "text") if sources.run is None else ("media",),
    )
    if (output / "metrics.json").exists() and (done := plan.finished(force=force)):
        return StageResult(output, True, done.summary)

    table = rows_of_split(read_annotations(sources.annotations), split, sources.annotations)
    media_of_sample = table.column("media_id").combine_chunks().dictionary_encode()
    media_ids = media_of_sample.dictionary
    if sources.run is None:
        media_nd, text_nd = _embedded(sources, media_ids, table.column("sample_id"))
    else:
        media_nd, text_nd = _encoded(sources, sources.run, media_ids, table.column("sample_id"), device, progress)
    evaluation = score_retrieval(
        media_nd,
        text_nd,
        media_of_sample.indices.to_numpy().astype(np.int64),
        protocol=protocol,
        cluster_size=None if sources.clusters is None else _cluster_sizes(sources.clusters, table.column("sample_id")),
        ties=ties,
        folds=folds,
        resamples=resamples,
        seed=seed,
    )
    metrics = evaluation.metrics()
    write_json(output / "metrics.json", metrics)
    with plan.writer(_RANKS_SCHEMA) as writer:
        writer.summary = metrics
        writer.write(_ranks(evaluation, media_ids, table))
    return StageResult(output, False, metrics)


def _sources(
    run: Path | str | None,
    media: Path | str | None,
    text: Path | str | None,
    annotations: Path | str | None,
    clusters: Path | str | None,
) -> _Sources:
    trained: dict[str, Any] = {}
    if run is not None:
        run = Path(run)
        if not (run / "config.json").is_file() or not (run / "metrics.json").is_file():
            raise InputError(f"{run}: is not the folder of a complete run; make one with `mmts train`")
        trained = read_json(run / "config.json").get("parameters", {})
    given = {"annotations": annotations, "media": media, "text": text}
    paths: dict[str, Path] = {}
    for role, path in given.items():
        chosen = path or trained.get(role)
        if chosen is None:
            raise InputError(f"--{role} is missing; give it, or a run that was trained with it")
        paths[role] = Path(chosen)
    sizes = clusters or (trained.get("shifts") if annotations is None else None)
    return _Sources(**paths, clusters=None if sizes is None else Path(sizes), run=run)


def _embedded(
    sources: _Sources, media_ids: pa.Array, sample_ids: pa.ChunkedArray
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    media, text = read_vectors(sources.media), read_vectors(sources.text, id_column="sample_id")
    if media.matrix_nd.shape[1] != text.matrix_nd.shape[1]:
        raise InputError(
            f"{sources.media} holds {media.matrix_nd.shape[1]}-dimensional vectors and {sources.text} "
            f"{text.matrix_nd.shape[1]}-dimensional ones; embeddings of one space are compared, or give the run that "
            "maps them into one"
        )
    media_rows = align(pa.chunked_array([media_ids]), media.ids, what="media", path=sources.media)
    text_rows = align(sample_ids, text.ids, what="samples", path=sources.text)
    return media.matrix_nd[media_rows], text.matrix_nd[text_rows]


def _encoded(
    sources: _Sources,
    run: Path,
    media_ids: pa.Array,
    sample_ids: pa.ChunkedArray,
    device: str | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import torch

    from pipelines.media import FeatureMedia, open_media
    from pipelines.models import choose_device, encode_media, encode_texts, load_model

    chosen = choose_device(device)
    model = load_model(run / "model").to(chosen)
    image_size = None if model.media_tower is None else model.media_tower.image_size
    media = open_media(sources.media, media_ids.to_pylist(), image_size=image_size)
    text = read_vectors(sources.text, id_column="sample_id")
    rows = align(sample_ids, text.ids, what="samples", path=sources.text)
    _require_size(sources.text, text.matrix_nd.shape[1], model.settings["text_inputs"], run)
    if isinstance(media, FeatureMedia):
        _require_size(sources.media, media.dimension, model.settings["media_inputs"], run)
    media_nd = encode_media(model, media, chosen, progress=progress).numpy()
    text_nd = encode_texts(model, torch.from_numpy(text.matrix_nd[rows]), chosen, progress=progress).numpy()
    return media_nd, text_nd


def _require_size(path: Path, found: int, wanted: object, run: Path) -> None:
    if found != wanted:
        raise InputError(
            f"{path}: holds {found}-dimensional vectors, but {run} was trained on {wanted}-dimensional ones"
        )


def _cluster_sizes(path: Path, sample_ids: pa.ChunkedArray) -> NDArray[np.float64]:
    table = read_table(path, _SIZES)
    rows = align(sample_ids, table.column("sample_id"), what="samples", path=path)
    sizes: NDArray[np.float64] = table.column("cluster_size").to_numpy()[rows]
    return sizes


def _ranks(evaluation: Evaluation, media_ids: pa.Array, table: pa.Table) -> pa.Table:
    """One row a query and direction."""
    names = {"text_to_media": table.column("sample_id").combine_chunks(), "media_to_text": media_ids}
    parts = []
    for direction in DIRECTIONS:
        queries = evaluation.queries[direction]
        rows = len(queries)
        third = pa.nulls(rows, pa.string())
        if queries.third is not None:
            third = pa.array(np.array(THIRDS)[queries.third])
        size = pa.nulls(rows, pa.float64()) if queries.cluster_size is None else queries.cluster_size
        parts.append(
            pa.table(
                {
                    "query_id": names[direction].take(pa.array(queries.query)),
                    "direction": pa.array([direction] * rows),
                    "rank": queries.values["rank"],
                    "cluster_size": size,
                    "third": third,
                    "media_id": media_ids.take(pa.array(queries.group)),
                    "tied": queries.tied,
                },
                schema=_RANKS_SCHEMA,
            )
        )
    return pa.concat_tables(parts)
