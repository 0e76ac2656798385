"""What a wrong input is: files, a command line, and what the one line on stderr has to name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def nothing(folder: Path) -> None:
    """Make no files."""


@dataclass(frozen=True)
class BadInput:
    """A command line that has to be refused.

    Attributes:
        id: Names the case; unique.
        command: The command line without ``mmts``, split as a shell does. ``{dir}`` is a fresh folder, which also is
            the working folder; ``{good}`` holds small whole files of every stage, see `good.py`, and is never changed.
        says: Pieces that the message has to hold: the file, the place in it, the remedy.
        make: Writes files to the fresh folder; `good` gives the other one.
    """

    id: str
    command: str
    says: tuple[str, ...]
    make: Callable[[Path], None] = nothing

    @property
    def verb(self) -> str:
        """The command it is for."""
        return self.command.split()[0]


def good(folder: Path) -> Path:
    """The folder of good files, from a case's fresh folder."""
    return folder.parent / "good"
