"""Stage ``export``: a run's model as a folder that another library loads by itself."""

from pipelines.export.stage import TARGETS, Target, export

__all__ = ["TARGETS", "Target", "export"]
