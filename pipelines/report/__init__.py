"""``report``: a run, a sweep or a folder as one page that needs no network."""

from pipelines.report.stage import report

__all__ = ["report"]
