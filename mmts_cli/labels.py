"""Tables of the labels of clusters."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

_GAP, _WORDS, _SHORTEST = 2, 24, 12


def label_tables(labels: Mapping[str, Any], width: int) -> "Iterator[RenderableType]":
    """The largest and the smallest clusters, each with its words and the beginnings of its nearest texts.

    Args:
        labels: ``clusters``, how many there are, and labels of the ``largest`` and the ``smallest``.
        width: Characters in a line.
    """
    from rich.table import Column, Table
    from rich.text import Text

    for name in ("largest", "smallest"):
        if not labels[name]:
            continue
        sizes = [f"{label['cluster_size']:,}" for label in labels[name]]
        numbers = ["noise" if label["cluster"] < 0 else str(label["cluster"]) for label in labels[name]]
        taken = max(map(len, ["size", *sizes])) + max(map(len, ["cluster", *numbers])) + _WORDS + 3 * _GAP
        table = Table(
            Column("size", justify="right"),
            Column("cluster", justify="right"),
            Column("words", max_width=_WORDS, overflow="fold"),
            Column("nearest texts"),
            box=None,
            pad_edge=False,
            title=f"the {len(labels[name]):,} {name} of {labels['clusters']:,} clusters",
            title_justify="left",
            title_style="",
        )
        for label, size, number in zip(labels[name], sizes, numbers, strict=True):
            texts = [Text(" ".join(text.split())) for text in label["texts"]]
            for text in texts:
                text.truncate(max(width - taken, _SHORTEST), overflow="ellipsis")
            table.add_row(size, number, Text(", ".join(label["words"])), Text("\n").join(texts))
        yield ""
        yield table
