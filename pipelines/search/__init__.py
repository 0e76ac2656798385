"""Stage ``search``: the media or texts of a run that are nearest to a text, an image or a sample."""

from pipelines.search.stage import search

__all__ = ["search"]
