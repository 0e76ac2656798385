"""An exported folder: written whole or not at all, and known again by its record."""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts import StagePlan, StageResult
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.model_files import digest

RECORD = "mmts_export.json"


def finished(folder: Path, plan: StagePlan, *, force: bool) -> StageResult | None:
    """The result of an earlier export of the same run and settings, or None if there is work to do.

    Raises:
        InputError: The folder holds something else: it is not replaced without ``force``.
    """
    if force or not folder.is_dir() or not any(folder.iterdir()):
        return None
    if not (folder / RECORD).is_file():
        raise InputError(
            f"{folder}: holds files that `mmts export` did not write; use --force, or another output folder"
        )
    record = read_json(folder / RECORD)
    if not isinstance(record, dict) or record.get("stage") != plan.stage:
        raise InputError(f"{folder / RECORD}: is not what `mmts export` wrote; use --force, or another output folder")
    if record.get("fingerprint") != plan.fingerprint or _digests(folder) != record.get("files"):
        return None  # another run or settings, or a file is damaged or gone: made again
    return StageResult(folder, True, record["summary"])


def write_record(folder: Path, plan: StagePlan, summary: dict[str, Any]) -> None:
    """Write what made the folder, its figures, and the digests of its files."""
    provenance = plan.provenance()
    record = {
        "stage": provenance.stage,
        "fingerprint": provenance.fingerprint,
        "parameters": provenance.parameters,
        "inputs": provenance.inputs,
        "libraries": provenance.libraries,
        "summary": summary,
        "files": _digests(folder),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): digest(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != RECORD
    }
