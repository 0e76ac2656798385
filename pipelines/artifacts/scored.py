"""Where a folder's scores are, and which are of a run."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.artifacts.ids import first_few
from pipelines.artifacts.provenance import Provenance, read_provenance
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


def is_scores(folder: Path) -> bool:
    """Whether a folder holds scores of ``mmts eval``."""
    return (folder / "ranks.parquet").is_file() and (folder / "metrics.json").is_file()


def scores_of_run(run: Path, folders: Iterable[Path]) -> list[Path]:
    """Those of some folders that hold scores of a run; unfinished and damaged ones don't count.

    Args:
        run: Run folder.
        folders: Where to look.
    """
    trained = _provenance(run / "steps.parquet")
    if trained is None:
        return []
    made = {folder: _provenance(folder / "ranks.parquet") for folder in dict.fromkeys(folders) if is_scores(folder)}
    return [
        folder
        for folder, of in made.items()
        if of is not None and of.inputs.get("run", {}).get("fingerprint") == trained.fingerprint
    ]


def _provenance(path: Path) -> Provenance | None:
    try:
        return read_provenance(path) if path.is_file() else None
    except InputError:
        return None
