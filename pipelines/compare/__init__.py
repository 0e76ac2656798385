"""Stage ``compare``: the differences between settings, by runs scored on the same queries."""

from pipelines.compare.stage import compare, read_queries

__all__ = ["compare", "read_queries"]
