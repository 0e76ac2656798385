"""Lines and tables of rich as HTML, for notebooks."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Column, Table


def to_html(parts: "Iterable[RenderableType]") -> str:
    """Lines of text as paragraphs, which empty lines part, and tables as tables.

    Args:
        parts: Strings, `rich.text.Text` and `rich.table.Table`; what they say is escaped.
    """
    from rich.table import Table

    html = []
    for is_line, group in groupby(parts, key=lambda part: not isinstance(part, Table) and bool(str(part))):
        if is_line:
            lines = escape("\n".join(map(str, group)))
            html.append(f'<p style="white-space:pre-wrap">{lines}</p>')
        else:  # tables, and the empty lines around them
            html += [_table(part) for part in group if isinstance(part, Table)]
    return "\n".join(html)


def _table(table: "Table") -> str:
    title = f'<caption style="text-align:left">{_escaped(table.title)}</caption>' if table.title else ""
    heads = "".join(_cell(column, column.header, "th") for column in table.columns)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join(
        f"<tr>{''.join(_cell(column, cell, 'td') for column, cell in zip(table.columns, row, strict=True))}</tr>"
        for row in rows
    )
    head = f"<thead><tr>{heads}</tr></thead>" if table.show_header else ""
    return f"<table>{title}{head}<tbody>{body}</tbody></table>"


def _cell(column: "Column", content: "RenderableType", tag: str) -> str:
    return f'<{tag} style="text-align:{column.justify};vertical-align:top">{_escaped(content)}</{tag}>'


def _escaped(content: "RenderableType") -> str:
    return escape(str(content)).replace("\n", "<br>")
