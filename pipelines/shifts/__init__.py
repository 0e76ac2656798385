"""Stage ``shifts``: cluster sizes to a temperature or margin shift for each sample."""

from pipelines.shifts.stage import shifts

__all__ = ["shifts"]
