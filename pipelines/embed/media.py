"""Entry point of ``embed`` for images and clips."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import StagePlan, StageResult, read_annotations, vector_schema, with_vectors
from pipelines.artifacts.places import media_path
from pipelines.artifacts.writers import one_writer
from pipelines.embed.parts import Parts, parts_of, remove_parts
from pipelines.encoders.towers import load_media_encoder
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.model_files import model_identity
from pipelines.progress import SILENT, Progress, Task

if TYPE_CHECKING:  # these bring torch, which a file that is up to date doesn't need
    from pipelines.media import MediaSource
    from pipelines.models import DualEncoder


@one_writer
def embed_media(
    annotations: Path | str,
    output: Path | str,
    *,
    media: Path | str,
    model: str,
    frames: int | None = None,
    dtype: str = "float32",
    encoding: Encoding = AS_IT_COMES,
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
        frames: Frames to take from a clip, whose vector is their mean; None with a run, which has its own number.
        dtype: ``float32`` or ``float16``, of the stored vectors.
        encoding: How to encode. Damaged media, where ``encoding.max_bad`` lets some be, are left out.
        force: Encode even if the output is up to date.
        progress: Where to report.

    Returns:
        The summary has ``rows``, ``dimension`` and, where media are damaged, ``bad_media`` (why, by id).

    Raises:
        InputError: A file or the model can't be used, or more media are damaged than may be.
        Interrupted: It was asked to stop; what was made is kept.
    """
    from pipelines.media import holds_features, linked_parameters, media_inputs, media_list
    from pipelines.models import media_batch_size, open_inputs

    annotations, output, where = Path(annotations), Path(output), media_path(Path(media))
    if dtype not in ("float32", "float16"):
        raise InputError(f"--dtype {dtype}: expected float32 or float16")
    files = media_inputs(where)
    parameters: dict[str, Any] = {**model_identity(model), "dtype": dtype, "media": True, **encoding.record()}
    if frames is not None:
        parameters["frames"] = frames
    parameters |= linked_parameters(where, annotations)
    plan = StagePlan(
        "embed",
        output,
        parameters,
        {"annotations": annotations, **files},
        libraries=("transformers", "torch", "pyarrow"),
        foreign=tuple(files),
        results=1 if where is not None and holds_features(where) else 2,  # 2: transparency and wide greys
    )
    if done := plan.finished(force=force):
        remove_parts(output)  # of a run that was killed as it was done
        return done
    table = read_annotations(annotations)
    listed = media_list(table, annotations)
    encoder = load_media_encoder(model, frames, trust_remote_code=encoding.trust_remote_code)
    encoding.require_effect(on_pixels=encoder.media_tower is not None)
    source = open_inputs(encoder, where, listed, model)
    named = pa.table({"media_id": listed.ids})
    if "split" in table.column_names:
        named = named.append_column("split", table.column("split").take(pa.array(_first_rows(table))))
    schema = vector_schema("media_id", encoder.dimension, dtype, split="split" in named.column_names)
    bad_media: dict[str, str] = {}
    batch_size = encoding.batch_size or media_batch_size(source, encoder.settings["frames"])
    settings = {"batch_size": batch_size, "device": encoding.device}
    with (
        parts_of(plan, dtype, encoder.dimension, force=force, **settings) as parts,
        progress.task("encoding media", len(listed), "media") as task,
        plan.writer(schema) as writer,
    ):
        for rows, vectors_nd in _encoded(encoder, source, encoding, batch_size, parts, bad_media, task):
            writer.write(with_vectors(named.take(pa.array(rows)), vectors_nd, model))
        writer.summary = {"model": model, "rows": len(listed) - len(bad_media), "dimension": encoder.dimension}
        if bad_media:
            writer.summary["bad_media"] = bad_media
    return StageResult(output, False, writer.summary)


def _encoded(
    encoder: "DualEncoder",
    source: "MediaSource",
    encoding: Encoding,
    batch_size: int,
    parts: Parts,
    bad_media: dict[str, str],
    task: Task,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
    """Rows of whole media and their vectors ``[n, d]``, as they are encoded; adds the others to ``bad_media``.

    Those that an earlier run made come first.
    """
    import torch

    from pipelines.media import require_few_damaged
    from pipelines.models import choose_device, encode_batches

    def tell(damaged: Mapping[str, str], media: int) -> None:
        bad_media.update(damaged)
        for reason in damaged.values():
            warnings.warn(f"{reason}; left out", stacklevel=3)
        require_few_damaged(bad_media, encoding.max_bad)
        task.advance(media)

    stored_nd, made, seen = parts.read(), 0, 0
    for part in parts.found:
        rows = np.arange(seen, seen + part["media"])
        whole = rows[[source.ids[row] not in part["damaged"] for row in rows]]
        tell(part["damaged"], len(rows))
        yield whole, stored_nd[made : made + len(whole)]
        made, seen = made + len(whole), seen + len(rows)
    device = choose_device(encoding.device)
    encoded = encode_batches(
        encoder.to(device).embed_media,
        source,
        device,
        batch_size=batch_size,
        rows=torch.arange(seen, len(source.ids)),
        precision=encoding.precision,
        workers=encoding.workers,
        max_bad=encoding.max_bad,
    )
    for batch in encoded:
        damaged = {each.media_id: each.reason for each in batch.damaged}
        whole_nd = batch.vectors_nd.cpu()[batch.whole_n].numpy().astype(parts.dtype)
        parts.append(whole_nd, media=len(batch.rows), damaged=damaged)
        tell(damaged, len(batch.rows))
        yield batch.rows[batch.whole_n].numpy(), whole_nd


def _first_rows(table: pa.Table) -> NDArray[np.int64]:
    """The row of the first sample of each medium, in the order of ``media_list``."""
    codes = table.column("media_id").combine_chunks().dictionary_encode().indices.to_numpy()
    return np.unique(codes, return_index=True)[1]
