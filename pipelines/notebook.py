"""Runs, scores and sweeps that are on disk, opened as results that a notebook shows.

from pipelines.notebook import open_run

open_run("run")  # its settings, curves and scores
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import scores_of_run
from pipelines.evaluate.result import ScoresResult, open_scores
from pipelines.remote import located
from pipelines.sweep.result import open_sweep
from pipelines.tables import Shown, to_html
from pipelines.train.result import RunResult, read_result
from pipelines.train.settings import TrainSettings
from pipelines.views.curves import Curves, read_curves

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["Run", "open_run", "open_scores", "open_sweep"]

_WIDTH = 160  # characters


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A complete run with the scores that were made of it.

    Attributes:
        result: What ``train`` returned.
        scores: What ``evaluate`` returned, for each folder of its scores.
    """

    result: RunResult
    scores: list[ScoresResult]

    @property
    def curves(self) -> Curves:
        """How training went."""
        return read_curves(self.result.output)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that aren't the defaults."""
        defaults = {name: _plain(value) for name, value in vars(TrainSettings).items()}
        return {name: value for name, value in self.result.parameters.items() if value != defaults.get(name)}

    def __repr__(self) -> str:
        """``Run(run, scores: scores-val, scores-test)``."""
        return f"Run({self.result.output}, scores: {', '.join(str(each.output) for each in self.scores) or 'none'})"

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """What ``train`` said of it, its settings, and its scores."""
        yield from self._trained(width)
        yield from self._scored(width)

    def _repr_html_(self) -> str:
        curves = base64.b64encode(self.curves._repr_png_()).decode()
        alt = f"Loss, validation, {self.curves.quantity} and learning rate by step"
        picture = f'<img alt="{escape(alt)}" style="max-width:100%" src="data:image/png;base64,{curves}">'
        return "\n".join([to_html(self._trained(_WIDTH)), picture, to_html(self._scored(_WIDTH))])

    def _trained(self, width: int) -> "Iterator[RenderableType]":
        yield from self.result.shown(width)
        yield ""
        yield _settings_table(self.settings)

    def _scored(self, width: int) -> "Iterator[RenderableType]":
        for scores in self.scores:
            yield ""
            yield from scores.shown(width)


def open_run(folder: Path | str) -> Run:
    """Open the folder of a complete run.

    Its scores are looked for in the folder and beside it.

    Raises:
        InputError: It isn't one, or its files can't be used.
    """
    folder = located(folder)
    result = read_result(folder)
    around = folder.parent if folder.name else folder.resolve().parent  # "." is its own parent
    folders = sorted(each for place in {folder, around} for each in place.iterdir())
    return Run(result, [open_scores(each) for each in scores_of_run(folder, folders)])


def _settings_table(settings: dict[str, Any]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, title="settings that differ from the defaults")
    table.title_justify, table.title_style = "left", ""
    for name, value in settings.items():
        table.add_row(name, Text(", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return table


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return [*value] if isinstance(value, tuple) else value
