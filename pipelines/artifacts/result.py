"""What a stage did, as figures, as a pandas table, and as rich and notebooks show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts.opening import open_parquet
from pipelines.tables import Shown
from pipelines.words import written

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

_INTERVAL = {"value", "low", "high"}


@dataclass(frozen=True, repr=False)
class StageResult(Shown):
    """What a stage did.

    Attributes:
        output: The file or folder it wrote.
        up_to_date: True if the output was there already and no work was done.
        summary: The figures it reports, the same whether it ran or was up to date.
        opened: Whether an output was opened, and nothing asked whether it is up to date.
    """

    output: Path
    up_to_date: bool
    summary: dict[str, Any]
    opened: bool = False

    @property
    def table_file(self) -> Path:
        """The Parquet file of the table that it wrote; of a folder the steps of a run."""
        return self.output / "steps.parquet" if self.output.is_dir() else self.output

    def to_pandas(self) -> "pd.DataFrame":
        """What the stage wrote, as a table.

        Returns:
            The rows of the Parquet file; of a run its steps; of a sweep its runs; of ``eval`` one row a score, with
            columns ``segment``, ``direction``, ``metric``, ``value``, ``low`` and ``high`` (the 95% interval; NaN where
            there is none).

        Raises:
            InputError: The stage wrote no table (``export``), or it is gone or damaged.
        """
        if isinstance(scores := self.summary.get("scores"), dict):
            return _tidy(scores)
        with open_parquet(self.table_file) as file:
            table: pd.DataFrame = file.read().to_pandas()
        return table

    @property
    def headline(self) -> str:
        """``clusters.parquet: written``."""
        if self.opened:
            return str(self.output)
        return written(self.output, up_to_date=self.up_to_date)

    def __repr__(self) -> str:
        """``StageResult(clusters.parquet: written)``."""
        return f"{type(self).__name__}({self.headline})"

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """The figures, one a line."""
        from rich.table import Table
        from rich.text import Text

        yield self.headline
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, value in _lines(self.summary):
            table.add_row(Text(name), Text(value))
        yield table


def _tidy(scores: dict[str, dict[str, dict[str, dict[str, float | None]]]]) -> "pd.DataFrame":
    import pandas as pd

    rows = [
        (segment, direction, metric, *(score[name] for name in ("value", "low", "high")))
        for segment, directions in scores.items()
        for direction, metrics in directions.items()
        for metric, score in metrics.items()
    ]
    table = pd.DataFrame(rows, columns=["segment", "direction", "metric", "value", "low", "high"])
    return table.astype({"value": float, "low": float, "high": float})


def _lines(figures: dict[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of figures within figures, names joined by spaces; a score has its interval beside it."""
    for key, value in figures.items():
        name = f"{under}{key}"
        if isinstance(value, dict) and set(value) == _INTERVAL:
            interval = "" if value["low"] is None else f" ({value['low']:.4g} to {value['high']:.4g})"
            yield name, f"{_plain(value['value'])}{interval}"
        elif isinstance(value, dict):
            yield from _lines(value, f"{name} ")
        elif isinstance(value, list):
            yield name, ", ".join(map(_plain, value))
        else:
            yield name, _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
