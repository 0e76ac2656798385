"""What a result is made of where it is shown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.tables.html import to_html

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

_NOTEBOOK_WIDTH = 160  # characters; a browser breaks longer lines itself


class Shown:
    """A result that ``rich.print`` and notebooks show as the command line does."""

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """Lines of text, empty ones between parts, and tables.

        Args:
            width: Characters in a line, which tables of many columns are broken to.
        """
        raise NotImplementedError

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        """As rich shows it; what is in brackets is no markup."""
        from rich.text import Text

        for part in self.shown(options.max_width):
            yield Text(part) if isinstance(part, str) else part

    def _repr_html_(self) -> str:
        """As notebooks show it."""
        return to_html(self.shown(_NOTEBOOK_WIDTH))
