"""Where the heavy part of a stage is computed: in this process, or by the workers of a Ray cluster."""

from pipelines.engines.engine import LOCAL, Engine, Work, Workers

__all__ = ["LOCAL", "Engine", "Work", "Workers"]
