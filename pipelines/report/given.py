"""What the flags of ``report`` name, checked before anything is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.artifacts import is_scores, kind_of, open_parquet
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError
from pipelines.media import holds_features, media_files
from pipelines.views.classes import is_classification

KINDS = {"annotations": "annotations", "text": "embeddings", "clusters": "clusters", "shifts": "shifts"}


def require_given(given: Mapping[str, Path | None]) -> None:
    """Check what flags name.

    Args:
        given: Paths by flag, without its dashes: one of `KINDS` or ``media``; None for flags that were not given.

    Raises:
        InputError: A path isn't there, or is of another kind.
    """
    for flag, path in given.items():
        if path is not None:
            _require(flag, path)


def by_kind(scores: Sequence[Path]) -> dict[str, Path]:
    """Folders of scores by what they are of: ``scores`` of retrieval, ``classes`` of a classification.

    Raises:
        InputError: A folder isn't there or holds no scores, or two are of one kind.
    """
    found: dict[str, Path] = {}
    for folder in scores:
        if not is_scores(folder):
            raise InputError(f"--scores {folder}: not a folder that `mmts eval` wrote")
        read_json(folder / "metrics.json")
        role, what = ("classes", "a classification") if is_classification(folder) else ("scores", "retrieval")
        if role in found:
            raise InputError(f"--scores {folder}: scores of {what}, as {found[role]}; give one of each kind")
        found[role] = folder
    return found


def _require(flag: str, path: Path) -> None:
    if flag == "media":
        media_files(path)
        if holds_features(path):
            raise InputError(f"--media {path}: holds features; give the folder or archive of the images or clips")
        return
    with open_parquet(path) as file:
        kind, rows = kind_of(file.schema_arrow.names), file.num_rows
    if kind != KINDS[flag]:
        raise InputError(f"--{flag} {path}: holds {kind or 'no artifact'}, expected {KINDS[flag]}")
    if not rows:
        raise InputError(f"--{flag} {path}: holds no rows; make it again")
