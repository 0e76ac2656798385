"""The files that are scored, and the embeddings they give, by themselves or through a run's model."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import Kind, align, fingerprint_of, read_provenance, read_table, read_vectors
from pipelines.artifacts.files import read_json
from pipelines.artifacts.places import media_path
from pipelines.encoding import Encoding
from pipelines.errors import InputError
from pipelines.progress import Progress

_SIZES = Kind("clusters or shifts", "sample_id", {"sample_id": pa.string(), "cluster_size": pa.float64()})


@dataclass(frozen=True)
class Sources:
    """The files that are scored.

    Attributes:
        annotations: Annotations file.
        media: Features file; or images or clips, where there is a run; None for where the annotations' own column
            ``media`` says.
        text: Embeddings file of the texts; None where a run reads the texts of the annotations.
        clusters: Clusters or shifts file with training cluster sizes.
        run: Folder of the run whose model encodes media and texts; None to compare them as they are.
    """

    annotations: Path
    media: Path | None
    text: Path | None
    clusters: Path | None
    run: Path | None

    def inputs(self) -> dict[str, Path]:
        """The files that decide the scores, by role.

        Raises:
            InputError: Media are missing.
        """
        run = None if self.run is None else self.run / "steps.parquet"
        others = {"annotations": self.annotations, "text": self.text, "clusters": self.clusters, "run": run}
        return _media_inputs(self.media) | {role: path for role, path in others.items() if path is not None}


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


def find_sources(
    run: Path | str | None,
    media: Path | str | None,
    text: Path | str | None,
    annotations: Path | str | None,
    clusters: Path | str | None,
) -> Sources:
    """What was given, completed by what the run was trained with.

    Raises:
        InputError: The run isn't complete, a file is neither given nor known from a run, or texts are given to a run
            that reads them itself.
    """
    trained: dict[str, Any] = {}
    if run is not None:
        run = Path(run)
        trained = _trained(run)
    given = {"annotations": annotations, "media": media, "text": text}
    if trained.get("text_model") is not None:
        if text is not None:
            raise InputError(f"--text: {run} has a text model, which reads the annotations' texts; leave it out")
        del given["text"]
    paths: dict[str, Path] = {}
    for role, path in given.items():
        chosen = path or trained.get(role)
        if chosen is None:
            raise InputError(f"--{role} is missing; give it, or a run that was trained with it")
        paths[role] = Path(chosen)
        if path is None:
            _check_as_trained(role, paths[role], Path(run or "."))
    where = media_path(paths["media"])
    if where is None and run is None:
        raise InputError("--media annotations: images and clips need a run that encodes them; give RUN")
    sizes = clusters or (trained.get("shifts") if annotations is None else None)
    return Sources(paths["annotations"], where, paths.get("text"), None if sizes is None else Path(sizes), run)


def _trained(run: Path) -> dict[str, Any]:
    """What a complete run was trained with."""
    if not (run / "config.json").is_file() or not (run / "metrics.json").is_file():
        if list(run.glob("checkpoints/step-*")):
            raise InputError(f"{run}: is an unfinished run; go on with it: the same `mmts train` and --resume")
        raise InputError(f"{run}: is not the folder of a complete run; make one with `mmts train`")
    if not (run / "model").is_dir():
        raise InputError(f"{run}: has no folder model, which its training wrote; put it back, or train again")
    parameters: dict[str, Any] = read_json(run / "config.json").get("parameters", {})
    return parameters


def _check_as_trained(role: str, path: Path, run: Path) -> None:
    """Say so where a file that only the run names isn't there, or isn't what the run was trained with."""
    if role == "media" and media_path(path) is None:
        return
    try:
        files = _media_inputs(path) if role == "media" else {role: path}
        fingerprints = {name: fingerprint_of(file) for name, file in files.items()}
    except InputError as error:
        raise InputError(
            f"{error} ({run / 'config.json'} names it; give --{role}, or go where it was trained)"
        ) from error
    provenance = read_provenance(run / "steps.parquet")
    recorded = {} if provenance is None else provenance.inputs
    for name, fingerprint in fingerprints.items():
        if name in recorded and recorded[name]["fingerprint"] != fingerprint:
            warnings.warn(f"{files[name]}: is not the file that {run} was trained with, or changed since", stacklevel=4)


def _media_inputs(path: Path | None) -> dict[str, Path]:
    from pipelines.media import media_inputs  # brings torch

    return media_inputs(path)


def load_embeddings(
    sources: Sources, media_ids: pa.Array, text_ids: pa.ChunkedArray, *, encoding: Encoding, progress: Progress
) -> Embeddings:
    """Embeddings of media and of texts, in the order of the ids.

    Raises:
        InputError: A file can't be used, ids are missing there, the dimensions don't fit, or more media are damaged
            than may be.
    """
    if sources.run is not None:
        from pipelines.evaluate.encoded import encode_with_run

        return encode_with_run(sources, sources.run, media_ids, text_ids, encoding, progress)
    assert sources.media is not None
    assert sources.text is not None
    media_nd = vectors_of(sources.media, None, pa.chunked_array([media_ids]), "media")
    text_md = vectors_of(sources.text, "sample_id", text_ids, "samples")
    if media_nd.shape[1] != text_md.shape[1]:
        raise InputError(
            f"{sources.media} holds {media_nd.shape[1]}-dimensional vectors and {sources.text} "
            f"{text_md.shape[1]}-dimensional ones; embeddings of one space are compared, or give the run that "
            "maps them into one"
        )
    return Embeddings(media_nd, text_md)


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


def vectors_of(path: Path, id_column: str | None, ids: pa.ChunkedArray, what: str) -> NDArray[np.float32]:
    """The vectors of some ids; those of a file in that very order are not copied, since galleries can be large."""
    vectors = read_vectors(path, id_column=id_column)
    rows = vectors.rows_of(ids, what)
    in_order = len(rows) == len(vectors.ids) and bool((rows == np.arange(len(rows))).all())
    return vectors.matrix_nd if in_order else vectors.matrix_nd[rows]
