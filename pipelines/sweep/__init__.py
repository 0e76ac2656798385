"""``sweep``: every way of balancing head and tail, tuned alike and tested with seeds."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.sweep.config import SweepConfig
    from pipelines.sweep.found import read_sweep
    from pipelines.sweep.pareto import frontier
    from pipelines.sweep.result import open_sweep
    from pipelines.sweep.stage import sweep, train_best

__all__ = ["SweepConfig", "frontier", "open_sweep", "read_sweep", "sweep", "train_best"]


def __getattr__(name: str) -> Any:
    """Load torch at the first use of what needs it: the command line reads `settings` without."""
    if name == "SweepConfig":
        from pipelines.sweep.config import SweepConfig

        return SweepConfig
    if name == "read_sweep":
        from pipelines.sweep.found import read_sweep

        return read_sweep
    if name == "open_sweep":
        from pipelines.sweep.result import open_sweep

        return open_sweep
    if name == "frontier":
        from pipelines.sweep.pareto import frontier

        return frontier
    if name in __all__:
        from pipelines.sweep import stage

        return getattr(stage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
