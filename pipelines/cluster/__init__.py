"""Stage ``cluster``: which samples belong together, and how many training samples each cluster holds."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.cluster.stage import cluster

__all__ = ["cluster"]


def __getattr__(name: str) -> Any:
    """Load the stage when it is asked for: the command line reads the methods' options from here, and that is quick."""
    if name == "cluster":
        from pipelines.cluster.stage import cluster

        return cluster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
