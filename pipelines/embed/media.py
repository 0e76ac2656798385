"""Entry point of ``embed`` for images and clips."""

import contextlib
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import StagePlan, StageResult, read_annotations, vector_schema, with_vectors
from pipelines.artifacts.needs import Need, announce
from pipelines.artifacts.places import media_path
from pipelines.artifacts.strings import string_column
from pipelines.artifacts.writers import one_writer
from pipelines.embed.parts import Parts, disk_of, parts_of, remove_parts
from pipelines.encoders.towers import load_media_encoder
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.engines import LOCAL, Engine
from pipelines.errors import InputError
from pipelines.model_files import model_identity, run_model, takes_clips
from pipelines.progress import SILENT, Progress
from pipelines.remote import located

if TYPE_CHECKING:  # this brings torch, which a file that is up to date doesn't need
    from pipelines.media import MediaList

_BATCHES_IN_A_PART = 8  # that a worker of several takes at once
_BASE, _PER_ROW, _PER_BYTE = 0.6 * 2**30, 200, 2  # bytes of memory, as measured; the model is left out


@one_writer
def embed_media(
    annotations: Path | str,
    output: Path | str,
    *,
    media: Path | str,
    model: str,
    frames: int | None = None,
    chunk_seconds: float | None = None,
    dtype: str = "float32",
    encoding: Encoding = AS_IT_COMES,
    engine: Engine = LOCAL,
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Encode the media of an annotations file with a run, or with any vision or CLIP-like model.

    Media are decoded and encoded batch by batch, and written as they come: memory holds their ids and one row group. A
    run that was stopped or killed goes on from the folder ``OUTPUT.parts``, and ends with the same bytes as an unbroken
    one.

    Args:
        annotations: Annotations file.
        output: Features file to write: ``media_id`` in the order in which samples first name them, ``embedding`` as the
            model gives it, not normalised: a run's after its head, a CLIP-like model's after its projection, another
            vision model's pooled output; and ``split``, that of the first sample of each, where there is one.
        media: Images or clips, wherever they lie, or ``annotations`` for where the annotations' own column ``media``
            says; features, for a run on features.
        model: Run folder; or folder or hub id of a transformers model.
        frames: Frames to take from a clip, whose vector is the mean of theirs where the model sees one at a time; None
            with a run, which has its own number, and for a video model's own number.
        chunk_seconds: Length of the chunks that videos are cut into, where these are numbered; None with a run.
        dtype: ``float32`` or ``float16``, of the stored vectors.
        encoding: How to encode. Damaged media, where ``encoding.max_bad`` lets some be, are left out.
        engine: Where to encode; the vectors are the same but for rounding.
        force: Encode even if the output is up to date.
        progress: Where to report.

    Returns:
        The summary has ``rows``, ``dimension`` and, where media are damaged, ``bad_media`` (why, by id).

    Raises:
        InputError: A file or the model can't be used, or more media are damaged than may be.
        Interrupted: It was asked to stop; what was made is kept.
    """
    from pipelines.media import holds_features, linked_parameters, media_inputs, media_list, require_few_damaged

    annotations, output, where = located(annotations), located(output), media_path(located(media))
    if dtype not in ("float32", "float16"):
        raise InputError(f"--dtype {dtype}: expected float32 or float16")
    files = media_inputs(where)
    parameters: dict[str, Any] = {**model_identity(model), "dtype": dtype, "media": True, **encoding.record()}
    if frames is not None:
        parameters["frames"] = frames
    if chunk_seconds is not None:
        parameters["chunk_seconds"] = chunk_seconds
    parameters |= linked_parameters(where, annotations)
    on_features = where is not None and holds_features(where)
    plan = StagePlan(
        "embed",
        output,
        parameters,
        {"annotations": annotations, **files},
        libraries=("transformers", "torch", "pyarrow"),
        foreign=tuple(files),
        results=1 if on_features else _results(model),
    )
    if done := plan.finished(force=force):
        remove_parts(output)  # of a run that was killed as it was done
        return done
    if engine.name != "local" and encoding.workers is None:  # how many share the cores of a machine isn't known here
        encoding = replace(encoding, workers=0)
    with contextlib.ExitStack() as opened:
        opened.enter_context(engine.connected(device=encoding.device, progress=progress))
        table = read_annotations(annotations, texts=False)
        listed = media_list(table, annotations)
        named = pa.table({"media_id": string_column(listed.ids)})
        if "split" in table.column_names:
            named = named.append_column("split", table.column("split").take(pa.array(_first_rows(table))))
        scratch = output.parent if engine.name == "local" else None
        load = partial(_MediaWork, model, frames, chunk_seconds, where, listed, encoding, dtype, scratch)
        bad_media: dict[str, str] = {}
        workers = opened.enter_context(
            engine.workers(load, device=encoding.device, libraries=plan.libraries, progress=progress)
        )
        about = workers.about
        need = Need(
            memory=_BASE + _PER_ROW * table.num_rows + _PER_BYTE * table.nbytes,
            disk=disk_of(output, len(listed), len(listed), about.dimension, dtype),
        )
        announce(progress.note, need, output.parent)
        schema = vector_schema("media_id", about.dimension, dtype, split="split" in named.column_names)
        settings = {"batch_size": about.batch_size, "device": encoding.device}
        with (
            parts_of(plan, dtype, about.dimension, force=force, **settings) as parts,
            progress.task("encoding media", len(listed), "media") as task,
            plan.writer(schema) as writer,
        ):
            rows = range(sum(part["media"] for part in parts.found), len(listed))
            encoded = workers.map(engine.cut(rows, about.batch_size * _BATCHES_IN_A_PART))
            for batch in itertools.chain(_found(parts, listed.ids), _kept(encoded, parts)):
                bad_media |= batch.damaged
                for reason in batch.damaged.values():
                    warnings.warn(f"{reason}; left out", stacklevel=2)
                require_few_damaged(bad_media, encoding.max_bad)
                task.advance(batch.media)
                writer.write(with_vectors(named.take(pa.array(batch.rows)), batch.vectors_nd, model))
            writer.summary = {"model": model, "rows": len(listed) - len(bad_media), "dimension": about.dimension}
            if bad_media:
                writer.summary["bad_media"] = bad_media
    return StageResult(output, False, writer.summary)


@dataclass(frozen=True)
class _About:
    """What there is to know of a model of media: the size of its vectors, and how many media it encodes at once."""

    dimension: int
    batch_size: int


@dataclass(frozen=True)
class _Batch:
    """Media of a batch.

    Attributes:
        rows: Those that could be decoded ``(n,)``.
        vectors_nd: Their vectors.
        damaged: Why the others could not, by id.
    """

    rows: NDArray[np.int64]
    vectors_nd: NDArray[np.floating]
    damaged: dict[str, str]

    @property
    def media(self) -> int:
        return len(self.rows) + len(self.damaged)


def _results(model: str) -> int:
    """The number of the results of images and clips, see `StagePlan`: that of the last change that concerns them."""
    if run_model(model) is None:
        return 5  # 4: all that the processor beside a model says of pixel values; 5: and of sizes
    # 2: transparency and wide greys; 3: large frames are scaled before their colours are converted.
    return 3 if takes_clips(model) else 2


class _MediaWork:
    """A model that encodes media, and the media, of which it is told the rows."""

    def __init__(
        self,
        model: str,
        frames: int | None,
        chunk_seconds: float | None,
        where: Path | None,
        listed: "MediaList",
        encoding: Encoding,
        dtype: str,
        scratch: Path | None,
    ) -> None:
        from pipelines.models import choose_device, media_batch_size, open_inputs

        encoder = load_media_encoder(model, frames, chunk_seconds, trust_remote_code=encoding.trust_remote_code)
        encoding.require_effect(on_pixels=encoder.media_tower is not None)
        self._source = open_inputs(encoder, where, listed, model, scratch)
        batch_size = encoding.batch_size or media_batch_size(self._source, encoder.settings["frames"])
        self.about = _About(encoder.dimension, batch_size)
        self._device = choose_device(encoding.device)
        self._encode = encoder.to(self._device).embed_media
        self._encoding, self._dtype = encoding, dtype

    def __call__(self, rows: Sequence[int]) -> Iterator[_Batch]:
        """Some media, batch by batch."""
        import torch

        from pipelines.models import encode_batches

        batches = encode_batches(
            self._encode,
            self._source,
            self._device,
            batch_size=self.about.batch_size,
            rows=torch.tensor(rows, dtype=torch.int64),
            precision=self._encoding.precision,
            workers=self._encoding.workers,
            max_bad=self._encoding.max_bad,
        )
        for batch in batches:
            whole_nd = batch.vectors_nd.cpu()[batch.whole_n].numpy().astype(self._dtype)
            damaged = {each.media_id: each.reason for each in batch.damaged}
            yield _Batch(batch.rows[batch.whole_n].numpy(), whole_nd, damaged)


def _found(parts: Parts, media_ids: Sequence[str]) -> Iterator[_Batch]:
    """The batches that an earlier run made."""
    stored_nd, made, seen = parts.read(), 0, 0
    for part in parts.found:
        rows = np.arange(seen, seen + part["media"])
        whole = rows[[media_ids[row] not in part["damaged"] for row in rows]]
        yield _Batch(whole, stored_nd[made : made + len(whole)], part["damaged"])
        made, seen = made + len(whole), seen + len(rows)


def _kept(batches: Iterable[_Batch], parts: Parts) -> Iterator[_Batch]:
    """Batches, each kept in case that the run is stopped."""
    for batch in batches:
        parts.append(batch.vectors_nd, media=batch.media, damaged=batch.damaged)
        yield batch


def _first_rows(table: pa.Table) -> NDArray[np.int64]:
    """The row of the first sample of each medium, in the order of ``media_list``."""
    codes = table.column("media_id").dictionary_encode().combine_chunks().indices.to_numpy()
    return np.unique(codes, return_index=True)[1]
