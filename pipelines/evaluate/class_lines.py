"""What is shown of a classification besides its scores: prompts, slope, and the worst and best classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import CLASSES, read_table, shortened
from pipelines.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_SHOWN = 5
_FEW_IN_GROUP, _FEW_IN_CLASS = 10, 5  # test media; fewer say little
_NAMED = 3


def classes_said(metrics: dict[str, Any]) -> "Iterator[str]":
    """What was classified, and by which prompts; a line each."""
    classes, ties = metrics["classes"], metrics["ties"]
    yield (
        f"protocol classes: {metrics['queries']['media_to_text']:,} media of {classes['tested']:,} classes, "
        f"{classes['candidates']:,} to choose from ({ties['media_to_text']} tied; ties by {ties['rule']})"
    )
    templates = metrics.get("templates")
    if templates is None:
        yield "classes: by the vectors of --text"
    else:
        named = ", ".join(f"'{each}'" for each in templates[:_NAMED])
        yield f"{counted(len(templates), 'template')}: {named}{', ...' * (len(templates) > _NAMED)}"


def slope_and_classes(metrics: dict[str, Any], table: Path, width: int) -> "Iterator[RenderableType]":
    """Which groups are too small to tell, the slope in words, and the worst and best classes.

    Args:
        metrics: What ``metrics.json`` holds.
        table: ``classes.parquet``, which lists the classes from the worst on.
        width: Characters in a line.
    """
    small = {name: n for name, n in metrics.get("shots", {}).get("media_to_text", {}).items() if 0 < n < _FEW_IN_GROUP}
    if small:
        yield ""
        yield from (f"{name}: {n} test {'medium' if n == 1 else 'media'}: too few to tell" for name, n in small.items())
    slope = metrics["slope"]
    if slope is not None:
        within = "" if slope["low"] is None else f" ({slope['low']:+.1f} to {slope['high']:+.1f})"
        yield ""
        yield (
            f"slope: {slope['value']:+.1f} points of top-1{within} with ten times the training media, over "
            f"{slope['classes']:,} classes"
        )
    tested = [row for row in read_table(table, CLASSES).to_pylist() if row["test_count"]]
    rows = [row for row in tested if row["test_count"] >= _FEW_IN_CLASS]
    if len(rows) < len(tested):
        yield ""
        few = f"fewer than {_FEW_IN_CLASS} test media"
        yield f"not listed here: {len(tested) - len(rows):,} of {len(tested):,} classes, which have {few}"
    worst = rows[: min(_SHOWN, (len(rows) + 1) // 2)]
    best = sorted(rows[len(worst) :], key=lambda row: (-row["top-1"], -row["test_count"]))[:_SHOWN]
    for title, some in (("worst classes", worst), ("best classes", best)):
        if some:
            yield ""
            yield _classes(title, some, width)
    yield f"all classes: {table}"


def _classes(title: str, rows: "Sequence[dict[str, Any]]", width: int) -> "Table":
    from rich.table import Table

    room = max(16, (width - 34) // 2)  # what the columns of numbers leave, for two names
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for head in ("train", "test", "top-1"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("most often taken for", no_wrap=True)
    for row in rows:
        train = "" if row["train_count"] is None else f"{row['train_count']:,.0f}"
        other = row["confused_with"]
        confused = "" if other is None else f"{shortened(other, room)} ({row['confused_count']:,})"
        table.add_row(shortened(row["class"], room), train, f"{row['test_count']:,}", f"{row['top-1']:.1f}", confused)
    return table
