"""Results in words and tables, the same on a terminal and in a notebook."""

from pipelines.tables.html import to_html
from pipelines.tables.shown import Shown

__all__ = ["Shown", "to_html"]
