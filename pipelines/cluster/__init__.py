"""Stage ``cluster``: which samples belong together, and how many training samples each cluster holds."""

from pipelines.cluster.stage import cluster

__all__ = ["cluster"]
