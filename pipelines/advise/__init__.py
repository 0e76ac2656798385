"""Stage ``advise``: how far shifts can be trusted, before anything is trained with them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.advise.settings import Settings
    from pipelines.advise.stage import advise, cluster_sweep

__all__ = ["Settings", "advise", "cluster_sweep"]


def __getattr__(name: str) -> Any:
    """Load the stage when it is asked for: the command line reads the defaults of `settings` without."""
    if name == "Settings":
        from pipelines.advise.settings import Settings

        return Settings
    if name in __all__:
        from pipelines.advise import stage

        return getattr(stage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
