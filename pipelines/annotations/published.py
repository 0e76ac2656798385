"""``prepare DATASET``: a published data set as it was downloaded, by its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.annotations import cc3m, ek100, flickr30k, mscoco, msrvtt, youcook2
from pipelines.annotations.checks import Checks, is_blank
from pipelines.annotations.folder import Folder, find_downloads
from pipelines.annotations.imbalance import Imbalance
from pipelines.annotations.left_out import finished
from pipelines.annotations.writing import write_annotations
from pipelines.artifacts import StagePlan, StageResult, require_unique
from pipelines.artifacts.files import nearest
from pipelines.artifacts.writers import one_writer
from pipelines.catalogue import DATA_SETS
from pipelines.errors import InputError
from pipelines.remote import as_path, located


@dataclass(frozen=True)
class Reader:
    """How one data set is read.

    Attributes:
        read: Files by published name, splits, checks -> samples.
        link: Samples, folder of media, checks -> samples with ``media``.
    """

    read: Callable[[Mapping[str, Path], Sequence[str], Checks], pa.Table]
    link: Callable[[pa.Table, Path, Checks], pa.Table]


READERS = {
    "flickr30k": Reader(flickr30k.read, flickr30k.link),
    "mscoco": Reader(mscoco.read, mscoco.link),
    "cc3m": Reader(cc3m.read, cc3m.link),
    "ek100": Reader(ek100.read, ek100.link),
    "youcook2": Reader(youcook2.read, youcook2.link),
    "msrvtt": Reader(msrvtt.read, msrvtt.link),
}


@one_writer
def prepare_published(
    name: str,
    root: Path | str,
    output: Path | str,
    *,
    split: str | None = None,
    media_root: Path | str | None = None,
    imbalance: Imbalance | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> StageResult:
    """Turn a published data set into an annotations file, checked against the published counts.

    Examples:
        >>> prepare_published("ek100", "epic", "annotations.parquet", split="test").summary["rows"]
        9668

    Args:
        name: A key of `pipelines.catalogue.DATA_SETS`, which says what to download.
        root: Folder that has the files somewhere below it, under their published names.
        output: The annotations file to write.
        split: ``train``, ``val`` or ``test``; all that the data set has if None.
        media_root: Folder or zip of the media; each is looked up, and ``media`` says where it is.
        imbalance: Makes the training split long-tailed; as it is if None.
        allow_partial: Warn of what is missing or unusable and go on; what is left out is listed in
            ``OUTPUT.left-out.csv``.
        force: Write the output even if it is up to date or was not written by mmts.

    Raises:
        InputError: Files are missing, ambiguous, damaged or of another layout, or counts differ from the published
            ones; says which, and where to get it.
    """
    if name not in DATA_SETS:
        raise InputError(f"no data set '{name}'{nearest(name, list(DATA_SETS))} (known: {', '.join(DATA_SETS)})")
    data_set, reader, checks = DATA_SETS[name], READERS[name], Checks(allow_partial)
    root, output = located(root), located(output)
    if split is not None and split not in data_set.splits:
        raise InputError(f"--split {split}: {name} has {', '.join(data_set.splits)}")
    splits = data_set.splits if split is None else (split,)
    inputs = find_downloads(Folder(root), data_set, splits, checks)
    files = dict(inputs)
    if media_root is not None:
        inputs["media"] = located(media_root)
    parameters = {
        "split": split,
        "allow_partial": allow_partial,
        "media_root": None if media_root is None else str(media_root),
        "files": {role: str(path.relative_to(root)) for role, path in files.items()},
    }
    foreign = tuple(inputs)
    if imbalance is not None:
        parameters |= imbalance.parameters
        inputs |= imbalance.inputs
    plan = StagePlan(f"prepare {name}", output, parameters, inputs, foreign=foreign)
    if done := finished(plan, force=force):
        checks.warn()
        return done
    table = reader.read(files, splits, checks)
    require_unique(table.column("sample_id"), "sample_id", root)
    blank = is_blank(table.column("text"))
    table = checks.keep(table, blank, root, "texts are empty", remedy="; download the published file again")
    if media_root is not None:
        table = reader.link(table, as_path(media_root), checks)
    summary = write_annotations(plan, table, checks, root, imbalance)
    checks.warn()
    return StageResult(output, False, summary)
