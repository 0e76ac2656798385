"""``prepare flickr8k``: a captions file and the images it names."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.annotations import links
from pipelines.annotations.checks import ROW, SOURCE, Checks, is_blank
from pipelines.annotations.columns import occurrence
from pipelines.annotations.imbalance import Imbalance
from pipelines.annotations.left_out import finished
from pipelines.annotations.sources import read_sources
from pipelines.annotations.writing import write_annotations
from pipelines.artifacts import StagePlan, StageResult, plain_splits
from pipelines.artifacts.writers import one_writer
from pipelines.remote import as_path, located


@one_writer
def prepare_flickr8k(
    captions: Path | str,
    output: Path | str,
    *,
    images: Path | str | None = None,
    imbalance: Imbalance | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> StageResult:
    """Turn Flickr8K's captions (``image,caption,split``) into an annotations file.

    ``sample_id`` is Flickr8K's own ``IMAGE#n``, ``media_id`` the image's file name. With ``images``, every image named
    is checked to be there and ``media`` says where: a path below a folder, or ``zip://NAME::ARCHIVE`` in a zip.

    Args:
        captions: CSV with the columns image, caption and, optionally, split.
        output: The annotations file to write.
        images: Folder or zip of images.
        imbalance: Makes the training split long-tailed; as it is if None.
        allow_partial: Leave out rows without a caption or whose image is missing, and list them in
            ``OUTPUT.left-out.csv``.
        force: Write the output even if it is up to date or was not written by mmts.

    Raises:
        InputError: A file or column is missing, or images are; says how many and which first.
    """
    captions, output = located(captions), located(output)
    inputs = {"captions": captions}
    if images is not None:
        inputs["images"] = located(images)
    parameters = {"images": None if images is None else str(images), "allow_partial": allow_partial}
    foreign = tuple(inputs)
    if imbalance is not None:
        parameters |= imbalance.parameters
        inputs |= imbalance.inputs
    plan = StagePlan("prepare flickr8k", output, parameters, inputs, foreign=foreign)
    if done := finished(plan, force=force):
        return done
    checks = Checks(allow_partial)
    table = read_sources([captions], as_text=["image", "caption"], as_text_if_present=["split"])
    table = checks.keep(table, pc.is_null(table.column("image")), captions, "rows have no image")
    numbers = occurrence(table.column("image"))
    names = zip(table.column("image").to_pylist(), numbers, strict=True)
    columns = {
        "sample_id": pa.chunked_array([[f"{name}#{number}" for name, number in names]], pa.string()),
        "text": table.column("caption"),
        "media_id": table.column("image"),
    }
    for name in table.column_names:
        if name not in ("image", "caption"):
            columns[name] = table.column(name)
    if "split" in columns:
        columns["split"] = plain_splits(columns["split"], captions)
    annotations = pa.table(columns)
    annotations = checks.keep(annotations, is_blank(annotations.column("text")), captions, "texts are empty")
    annotations = annotations.drop_columns([SOURCE, ROW])
    if images is not None:
        names = annotations.column("media_id").to_pylist()
        annotations = links.link(annotations, names, links.images(as_path(images)), as_path(images), checks)
    summary = write_annotations(plan, annotations, checks, captions, imbalance)
    checks.warn()
    return StageResult(output, False, summary)
