"""Reading back what a sweep found; loads nothing heavy."""

from pathlib import Path
from typing import Any

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

SUMMARY, TABLE = "sweep.json", "sweep.parquet"


def read_sweep(folder: Path) -> dict[str, Any]:
    """What a sweep found.

    Raises:
        InputError: The folder holds no finished sweep.
    """
    if not (folder / SUMMARY).exists() and (folder / "runs").is_dir():
        raise InputError(f"{folder}: is an unfinished sweep; go on with the command that began it")
    summary = read_json(folder / SUMMARY)
    if not isinstance(summary, dict) or "candidates" not in summary:
        raise InputError(f"{folder / SUMMARY}: is not what `mmts sweep` writes")
    return summary
