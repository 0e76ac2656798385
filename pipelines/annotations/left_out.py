"""Rows that are left out of an annotations file, and the list of them beside it."""

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipelines.artifacts import StagePlan, StageResult, is_same_file
from pipelines.artifacts.files import replacing
from pipelines.errors import InputError
from pipelines.remote import fetch, push


@dataclass(frozen=True)
class LeftOut:
    """One thing that is left out.

    Attributes:
        source: Name of the file it is in, or should be.
        row: Its row there from 1, where it is one.
        id: What names it, where it has a name.
        reason: Why it is left out.
    """

    source: str
    row: int | None
    id: str
    reason: str


_HEADER = [field.name for field in fields(LeftOut)]


def list_path(output: Path) -> Path:
    """Where the list is written: ``a.left-out.csv`` beside ``a.parquet``."""
    return output.with_name(f"{output.stem}.left-out.csv")


def finished(plan: StagePlan, *, force: bool) -> StageResult | None:
    """The plan's earlier result, if the list that belongs to it is there as well.

    Raises:
        InputError: As `StagePlan.finished`; or a file that has the list's name is another.
    """
    path = fetch(list_path(plan.output))
    if any(is_same_file(path, source) for source in plan.inputs.values()):
        raise InputError(f"{path}: is an input, and the list of rows left out goes there; choose another output path")
    if path.exists() and not force and not _is_list(path):
        raise InputError(
            f"{path}: the list of rows left out goes there; move that file, or use --force to overwrite it"
        )
    done = plan.finished(force=force)
    return None if done and done.summary.get("left_out") and not path.exists() else done


def write_list(output: Path, left_out: Iterable[LeftOut]) -> None:
    """Write the list beside ``output``; where nothing is left out, an earlier list is removed."""
    path, rows = list_path(output), [astuple(entry) for entry in left_out]
    if rows:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([_HEADER, *rows])
    elif path.exists() and _is_list(path):
        path.unlink()
        push(path)


def _is_list(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as handle:
        return handle.readline().strip() == ",".join(_HEADER)
