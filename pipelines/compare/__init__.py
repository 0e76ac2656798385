"""Stage ``compare``: the difference between runs scored on the same queries."""

from pipelines.compare.stage import compare

__all__ = ["compare"]
