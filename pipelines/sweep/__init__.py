"""``sweep``: every way of balancing head and tail, tuned alike and tested with seeds."""

from pipelines.sweep.config import DEFAULT_STRATEGIES, NOT_SHARED, SweepConfig
from pipelines.sweep.stage import read_sweep, sweep

__all__ = ["DEFAULT_STRATEGIES", "NOT_SHARED", "SweepConfig", "read_sweep", "sweep"]
