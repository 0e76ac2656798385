"""Tables of scores, several side by side in columns as wide as the terminal, the others below."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pipelines.scores.queries import SHOTS
from pipelines.scores.thirds import THIRDS

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = 2


def score_tables(
    heads: Sequence[str], rows: Sequence[Sequence[str]], columns: Mapping[str, Sequence["Text"]], width: int
) -> "Iterator[Table]":
    """One table if it fits, else as many as it takes, all with the same first columns; recalls stay together.

    Args:
        heads: Heads of the first columns; what the rows are called stands on the left, anything else on the right.
        rows: Cells of the first columns, row by row.
        columns: Cells of each metric, row by row.
        width: Characters in a line.
    """
    from rich.table import Table

    wide = {
        name: _GAP
        + max(len(line) for text in (_head(name), *(cell.plain for cell in cells)) for line in text.split("\n"))
        for name, cells in columns.items()
    }
    # What is left of a line for columns of metrics, each with the gap before it.
    room = width + _GAP - sum(_GAP + max(len(head), *(len(row[n]) for row in rows)) for n, head in enumerate(heads))
    parts: list[list[str]] = [[]]
    for _, family in groupby(columns, key=lambda name: name.partition("@")[0]):
        names = list(family)
        together = sum(wide[name] for name in names) <= room
        for some in [names] if together else [[name] for name in names]:
            if parts[-1] and sum(wide[name] for name in (*parts[-1], *some)) > room:
                parts.append([])
            parts[-1] += some
    for names in parts:
        table = Table(box=None, pad_edge=False)
        for place, head in enumerate(heads):
            table.add_column(head, no_wrap=True, justify="right" if place else "left")
        for name in names:
            table.add_column(_head(name), justify="right", no_wrap=True)
        for place, row in enumerate(rows):
            table.add_row(*row, *(columns[name][place] for name in names))
        yield table


def shown_segments(segments: Iterable[str]) -> list[str]:
    """The segments that tables have a row of: no thirds where groups of classes follow from the same counts."""
    found = list(segments)
    return [name for name in found if name not in THIRDS] if set(SHOTS) & set(found) else found


def _head(name: str) -> str:
    """``coco_1k_recall@5`` as ``1K R@5``, ``mean_rank`` as ``mean rank``."""
    return name.replace("coco_1k", "1K").replace("recall", "R").replace("_", " ")
