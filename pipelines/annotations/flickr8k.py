"""``prepare flickr8k``: a captions file and the images it names."""

import zipfile
from pathlib import Path

import pyarrow as pa

from pipelines.annotations.sources import occurrence, read_source
from pipelines.annotations.table import summarise
from pipelines.artifacts import StagePlan, StageResult
from pipelines.artifacts.files import require_file
from pipelines.artifacts.places import Place
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError


@one_writer
def prepare_flickr8k(
    captions: Path | str, output: Path | str, *, images: Path | str | None = None, force: bool = False
) -> StageResult:
    """Turn Flickr8K's captions (``image,caption,split``) into an annotations file.

    ``sample_id`` is Flickr8K's own ``IMAGE#n``, ``media_id`` the image's file name. With ``images``, every image named
    is checked to be there and ``media`` says where: a path in a folder, or ``zip://NAME::ARCHIVE`` in a zip.

    Args:
        captions: CSV with the columns image, caption and, optionally, split.
        output: The annotations file to write.
        images: Folder or zip of images.
        force: Write the output even if it is up to date or was not written by mmts.

    Raises:
        InputError: A file or column is missing, or images are; says how many and which first.
    """
    captions, output = Path(captions), Path(output)
    inputs = {"captions": captions}
    if images is not None:
        inputs["images"] = Path(images)
    plan = StagePlan("prepare flickr8k", output, {"images": images is not None and str(images)}, inputs)
    if done := plan.finished(force=force):
        return done
    table = read_source(captions, as_text=["image", "caption"])
    if missing := table.column("image").null_count:
        raise InputError(f"{captions}: {missing} rows have no image")
    names = table.column("image").to_pylist()
    columns: dict[str, object] = {
        "sample_id": [f"{name}#{n}" for name, n in zip(names, occurrence(table.column("image")), strict=True)],
        "text": table.column("caption"),
        "media_id": table.column("image"),
    }
    if images is not None:
        columns["media"] = _locate(Path(images), names)
    for name in table.column_names:
        if name not in ("image", "caption"):
            columns[name] = table.column(name).cast(pa.string()) if name == "split" else table.column(name)
    annotations = pa.table(columns)
    with plan.writer(annotations.schema) as writer:
        writer.summary = summarise(annotations)
        writer.write(annotations)
    return StageResult(output, False, writer.summary)


def _locate(images: Path, names: list[str]) -> list[str]:
    if images.is_dir():
        present = {file.name for file in images.iterdir()}
        located = [str(images / name) for name in names]
    else:
        require_file(images)
        try:
            with zipfile.ZipFile(images) as archive:
                present = set(archive.namelist())
        except zipfile.BadZipFile as error:
            raise InputError(f"{images}: neither a folder nor a whole zip archive ({error})") from error
        located = [str(Place(str(images), name, "zip")) for name in names]
    missing = list(dict.fromkeys(name for name in names if name not in present))
    if missing:
        raise InputError(
            f"{images}: {len(missing)} of {len(set(names))} images are missing there, first: {', '.join(missing[:3])}"
        )
    return located
