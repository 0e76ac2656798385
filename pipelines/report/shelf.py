"""The artifacts that lie in some folders, found by what they hold and by what made them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts import Provenance, kind_of, open_parquet, read_provenance
from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

_MOST_FILES = 2000  # a folder of more is no project's, but one of media


@dataclass(frozen=True)
class Item:
    """A Parquet file.

    Attributes:
        path: Where it is.
        kind: Name of its kind, such as ``clusters``.
        provenance: What made it; None where mmts didn't.
    """

    path: Path
    kind: str
    provenance: Provenance | None

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint in its footer."""
        return None if self.provenance is None else self.provenance.fingerprint


class Shelf:
    """What lies in some folders, and in the folders right below them.

    Args:
        folders: The folders, the likeliest first; those that aren't there count as empty.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = _each_once(folder for folder in folders if folder.is_dir())
        self.items = list(_items(self.folders))

    def of_kind(self, kind: str) -> list[Item]:
        """The files of a kind, those of the likeliest folder first, by name."""
        return [item for item in self.items if item.kind == kind]

    def made_as(self, fingerprint: str | None, kind: str | None = None) -> Item | None:
        """The file with this fingerprint."""
        same = (item for item in self.items if fingerprint and item.fingerprint == fingerprint)
        return next((item for item in same if kind in (None, item.kind)), None)

    def named(self, name: str) -> Path | None:
        """The file or folder of this name."""
        return next((folder / name for folder in self.folders if (folder / name).exists()), None)

    def subfolders(self) -> list[Path]:
        """The folders and those right below, by name."""
        return _each_once(
            each for folder in self.folders for each in (folder, *sorted(filter(Path.is_dir, folder.iterdir())))
        )


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's, as its ``config.json`` says."""
    try:
        config = read_json(folder / "config.json") if (folder / "config.json").is_file() else None
    except InputError:
        return False
    return isinstance(config, dict) and config.get("command") == "train"


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's, finished or not."""
    return (folder / "sweep.json").is_file() or (folder / "sweep.parquet").is_file()


def _each_once(folders: Iterable[Path]) -> list[Path]:
    """Folders by the first of the paths that lead to each."""
    found: dict[Path, Path] = {}
    for folder in folders:
        found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _items(folders: Iterable[Path]) -> Iterator[Item]:
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".parquet" and path.is_file())
        for path in paths[:_MOST_FILES]:
            try:
                with open_parquet(path) as file:
                    kind = kind_of(file.schema_arrow.names)
                if kind is not None:
                    yield Item(path, kind, read_provenance(path))
            except InputError:  # damaged, or still being written: not on the shelf
                continue
