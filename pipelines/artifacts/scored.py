"""Where a folder's scores are."""

from pathlib import Path

from pipelines.artifacts.ids import first_few
from pipelines.errors import InputError


def scores_folder(folder: Path) -> Path:
    """The folder that ``mmts eval`` wrote: this one, or the one such folder within a run's folder.

    Raises:
        InputError: There is no or more than one such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that `mmts eval` wrote")
    if (folder / "ranks.parquet").exists():
        return folder
    within = sorted(file.parent for file in folder.glob("*/ranks.parquet"))
    if len(within) > 1:
        raise InputError(
            f"{folder}: holds several folders of scores ({first_few(each.name for each in within)}); name one"
        )
    if not within:
        raise InputError(f"{folder}: has no ranks.parquet; score the run with `mmts eval`")
    return within[0]
