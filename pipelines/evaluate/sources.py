"""The files that are scored, and the embeddings they give, by themselves or through a run's model."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.artifacts import Kind, align, fingerprint_of, read_annotations, read_provenance, read_table, read_vectors
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.progress import Progress

_SIZES = Kind("clusters or shifts", "sample_id", {"sample_id": pa.string(), "cluster_size": pa.float64()})


@dataclass(frozen=True)
class Sources:
    """The files that are scored.

    Attributes:
        annotations: Annotations file.
        media: Features file, or images where there is a run.
        text: Embeddings file of the texts.
        clusters: Clusters or shifts file with training cluster sizes.
        run: Folder of the run whose model encodes media and texts; None to compare them as they are.
    """

    annotations: Path
    media: Path
    text: Path
    clusters: Path | None
    run: Path | None

    def inputs(self) -> dict[str, Path]:
        """The files that decide the scores, by role."""
        inputs = {"annotations": self.annotations, "media": self.media, "text": self.text}
        if self.clusters is not None:
            inputs["clusters"] = self.clusters
        if self.run is not None:
            inputs["run"] = self.run / "steps.parquet"
        return inputs


def find_sources(
    run: Path | str | None,
    media: Path | str | None,
    text: Path | str | None,
    annotations: Path | str | None,
    clusters: Path | str | None,
) -> Sources:
    """What was given, completed by what the run was trained with.

    Raises:
        InputError: The run isn't complete, or a file is neither given nor known from a run.
    """
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
        if path is None:
            _check_as_trained(role, paths[role], Path(run or "."))
    sizes = clusters or (trained.get("shifts") if annotations is None else None)
    return Sources(**paths, clusters=None if sizes is None else Path(sizes), run=run)


def _check_as_trained(role: str, path: Path, run: Path) -> None:
    """Say so where a file that only the run names isn't there, or isn't what the run was trained with."""
    if not path.exists():
        raise InputError(
            f"{path}: no such file here; {run / 'config.json'} names it; give --{role}, or go where it was trained"
        )
    provenance = read_provenance(run / "steps.parquet")
    recorded = {} if provenance is None else provenance.inputs.get(role, {})
    if recorded and recorded["fingerprint"] != fingerprint_of(path):
        warnings.warn(f"{path}: is not the file that {run} was trained with, or changed since", stacklevel=4)


def load_embeddings(
    sources: Sources, media_ids: pa.Array, text_ids: pa.ChunkedArray, *, device: str | None, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings ``(n, d)`` of the media and ``(m, d)`` of the texts, in the order of the ids.

    Raises:
        InputError: A file can't be used, ids are missing there, or the dimensions don't fit.
    """
    if sources.run is not None:
        return _encoded(sources, sources.run, media_ids, text_ids, device, progress)
    media_nd = _vectors(sources.media, None, pa.chunked_array([media_ids]), "media")
    text_md = _vectors(sources.text, "sample_id", text_ids, "samples")
    if media_nd.shape[1] != text_md.shape[1]:
        raise InputError(
            f"{sources.media} holds {media_nd.shape[1]}-dimensional vectors and {sources.text} "
            f"{text_md.shape[1]}-dimensional ones; embeddings of one space are compared, or give the run that "
            "maps them into one"
        )
    return media_nd, text_md


def load_cluster_sizes(path: Path | None, sample_ids: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Training cluster size of each sample, shape ``(n,)``; None without a file.

    Raises:
        InputError: The file can't be used, or samples are missing there.
    """
    if path is None:
        return None
    table = read_table(path, _SIZES)
    rows = align(sample_ids, table.column("sample_id"), what="samples", path=path)
    sizes: NDArray[np.float64] = table.column("cluster_size").to_numpy()[rows]
    return sizes


def _vectors(path: Path, id_column: str | None, ids: pa.ChunkedArray, what: str) -> NDArray[np.float32]:
    """The vectors of some ids; those of a file in that very order are not copied, since galleries can be large."""
    vectors = read_vectors(path, id_column=id_column)
    rows = align(ids, vectors.ids, what=what, path=path)
    in_order = len(rows) == len(vectors.ids) and bool((rows == np.arange(len(rows))).all())
    return vectors.matrix_nd if in_order else vectors.matrix_nd[rows]


def _encoded(
    sources: Sources,
    run: Path,
    media_ids: pa.Array,
    text_ids: pa.ChunkedArray,
    device: str | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import torch

    from pipelines.media import FeatureMedia, View, media_list, open_media
    from pipelines.models import choose_device, encode_media, encode_texts, load_model

    chosen = choose_device(device)
    model = load_model(run / "model").to(chosen)
    view = None if model.media_tower is None else View(model.media_tower.image_size)
    annotations = read_annotations(sources.annotations)
    scored = annotations.filter(pc.is_in(annotations.column("media_id"), media_ids))
    media = open_media(sources.media, media_list(scored, sources.annotations).select(media_ids.to_pylist()), view=view)
    text_md = _vectors(sources.text, "sample_id", text_ids, "samples")
    _require_size(sources.text, text_md.shape[1], model.settings["text_inputs"], run)
    if isinstance(media, FeatureMedia):
        _require_size(sources.media, media.dimension, model.settings["media_inputs"], run)
    media_nd = encode_media(model, media, chosen, progress=progress).numpy()
    return media_nd, encode_texts(model, torch.from_numpy(text_md), chosen, progress=progress).numpy()


def _require_size(path: Path, found: int, wanted: object, run: Path) -> None:
    if found != wanted:
        raise InputError(
            f"{path}: holds {found}-dimensional vectors, but {run} was trained on {wanted}-dimensional ones"
        )
