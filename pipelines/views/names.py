"""What several folders are called side by side."""

from collections.abc import Sequence
from pathlib import Path


def names_apart(folders: Sequence[Path]) -> list[str]:
    """As much of the end of each path as tells all of them apart; the same folder twice has the same name twice."""
    parts = [folder.absolute().parts[1:] for folder in folders]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(set(parts)):
            return names
    return [str(folder) for folder in folders]
