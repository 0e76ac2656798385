"""The folder of a model that a stage writes: whole or not at all, and known again by its record."""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts import StagePlan, StageResult
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.model_files import digest


def folder_plan(stage: str, folder: Path, parameters: dict[str, Any], inputs: dict[str, Path]) -> StagePlan:
    """The plan of a stage that writes a model's folder.

    Raises:
        InputError: An input can't be read, or the folder can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a folder was expected")
    for path in inputs.values():
        if folder.resolve() in (path.resolve(), *path.resolve().parents):
            raise InputError(f"{folder}: holds the input {path}; give -o a folder of its own")
    return StagePlan(
        stage,
        folder.parent / f"{folder.name}.{_record(stage)}",  # only a name: the record is written with the folder
        parameters,
        inputs,
        libraries=("torch", "transformers", "sentence-transformers", "safetensors"),
    )


def finished(folder: Path, plan: StagePlan, *, force: bool) -> StageResult | None:
    """The result of an earlier run of the same stage with the same settings, or None if there is work to do.

    Raises:
        InputError: The folder holds something else: it is not replaced without ``force``.
    """
    if force or not folder.is_dir() or not any(folder.iterdir()):
        return None
    path = folder / _record(plan.stage)
    if not path.is_file():
        raise InputError(
            f"{folder}: holds files that `mmts {plan.stage}` did not write; use --force, or another output folder"
        )
    record = read_json(path)
    if not isinstance(record, dict) or record.get("stage") != plan.stage:
        raise InputError(f"{path}: is not what `mmts {plan.stage}` wrote; use --force, or another output folder")
    if record.get("fingerprint") != plan.fingerprint or _digests(folder, path) != record.get("files"):
        return None  # another input or settings, or a file is damaged or gone: made again
    return StageResult(folder, True, record["summary"])


def write_record(folder: Path, plan: StagePlan, summary: dict[str, Any]) -> None:
    """Write what made the folder, its figures, and the digests of its files."""
    provenance = plan.provenance()
    path = folder / _record(plan.stage)
    record = {
        "stage": provenance.stage,
        "fingerprint": provenance.fingerprint,
        "parameters": provenance.parameters,
        "inputs": provenance.inputs,
        "libraries": provenance.libraries,
        "summary": summary,
        "files": _digests(folder, path),
    }
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _record(stage: str) -> str:
    """The name of a stage's record: ``mmts_export.json``."""
    return f"mmts_{stage.replace(' ', '_')}.json"


def _digests(folder: Path, record: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): digest(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != record.name
    }
