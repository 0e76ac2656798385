"""Finding a data set's files by their published names, anywhere below a folder."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipelines.annotations.checks import Checks
from pipelines.artifacts import shortened
from pipelines.catalogue import DataSet, Download
from pipelines.errors import InputError
from pipelines.remote import as_path


class Folder:
    """All files below a folder, by name. Hidden folders are left out.

    Args:
        root: The folder.

    Raises:
        InputError: It is missing, a file, or can't be read.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"{root}: {'is a file; a folder was expected' if root.exists() else 'no such folder'}")
        self.root = root
        self.by_name: dict[str, list[Path]] = defaultdict(list)

        def refuse(error: OSError) -> None:
            raise InputError(f"{error.filename}: can't be read ({error.strerror})") from error

        for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                self.by_name[name].append(as_path(folder) / name)

    def find(self, names: Sequence[str]) -> Path | None:
        """The file with the first of some names that is there.

        Raises:
            InputError: Several files have that name; names two of them.
        """
        for name in names:
            if found := self.by_name.get(name):
                if len(found) > 1:
                    raise InputError(
                        f"{self.root}: {len(found)} files are named {name}: {found[0]} and {found[1]}; "
                        "give --root the folder of one of them"
                    )
                return found[0]
        return None

    def matching(self, pattern: str) -> list[Path]:
        """All files whose whole names match a regular expression, by path."""
        return sorted(path for name, paths in self.by_name.items() if re.fullmatch(pattern, name) for path in paths)


def find_downloads(folder: Folder, data_set: DataSet, splits: Sequence[str], checks: Checks) -> dict[str, Path]:
    """Find the files of some splits of a data set.

    The first complete way is taken; without one, that of which most files are there.

    Args:
        folder: Where to look.
        data_set: What to look for.
        splits: The splits wanted.
        checks: Whether files may be missing.

    Returns:
        The files, by published name; numbered ones by their path below the root.

    Raises:
        InputError: None is there, a name is ambiguous, or one is missing that may not be; says where to get it.
    """
    ways = [[download for download in way if set(download.splits) & set(splits)] for way in data_set.ways]
    found = [_find_way(folder, way, checks.allow_partial) for way in ways]
    complete = [way for way in found if not way[1]]
    if not any(files for files, _ in found):
        wanted = " or ".join(", ".join(download.names[0] for download in way) for way in ways)
        raise InputError(
            f"{folder.root}: nothing of {data_set.name} here or below; it needs {shortened(wanted, 90)} "
            "(`mmts prepare --list` says from where)"
        )
    files, missing = complete[0] if complete else max(found, key=lambda way: len(way[0]))
    if missing:
        only = "" if len(splits) == 1 else " (or ask for another --split)"
        checks.incomplete(f"{folder.root}: missing here and below: {_describe(missing)}{only}")
    return files


def _find_way(folder: Folder, way: list[Download], allow_partial: bool) -> tuple[dict[str, Path], list[Download]]:
    files: dict[str, Path] = {}
    missing = []
    for download in way:
        if download.pattern:
            numbered = {str(path.relative_to(folder.root)): path for path in folder.matching(download.pattern)}
            files.update(numbered)
            is_there = bool(numbered)
        else:
            path = folder.find((*download.names, *(download.partial if allow_partial else ())))
            is_there = path is not None
            if path is not None:
                files[download.names[0]] = path
        if not is_there:
            missing.append(download)
    return files, missing


def _describe(downloads: Sequence[Download]) -> str:
    by_source: dict[str, list[str]] = {}
    for download in downloads:
        by_source.setdefault(download.source, []).append(" or ".join(download.names))
    return "; ".join(f"{', '.join(names)} from {source}" for source, names in by_source.items())
