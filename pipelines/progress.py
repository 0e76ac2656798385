"""How a stage reports progress without printing: it calls these, the command line draws them."""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Task(Protocol):
    """One piece of work with a known total."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Say that ``count`` more units are done; ``note`` replaces the text after the bar."""


class Progress(Protocol):
    """Where stages report to."""

    def task(self, label: str, total: int, unit: str) -> contextlib.AbstractContextManager[Task]:
        """Open a piece of work of ``total`` units, such as ``task("embedding", 40_000, "texts")``."""

    def note(self, text: str) -> None:
        """Say something in a line, such as what the work is going to need."""


class Silent:
    """Reports to nobody: the default in the library."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    @contextlib.contextmanager
    def task(self, label: str, total: int, unit: str) -> Iterator["Silent"]:
        """Open a piece of work that nobody watches."""
        yield self


SILENT = Silent()
