"""A sweep of the tiny world."""

from collections.abc import Callable
from typing import Any

import pytest
from tiny_world import TinyWorld

from pipelines.sweep import SweepConfig

SHARED = {"epochs": 2, "batch_size": 16, "dimension": 8, "lr": 0.01, "device": "cpu"}


@pytest.fixture
def config(world: TinyWorld) -> Callable[..., SweepConfig]:
    """Settings of a small sweep, with changes; those that all runs share are in ``shared``."""

    def make(**changes: Any) -> SweepConfig:
        files = {name: getattr(world, name) for name in ("annotations", "media", "text")}
        shared = {**files, **SHARED, **changes.pop("shared", {})}
        values = {
            "output": world.folder / "sweep",
            "clusters": [world.clusters],
            "strategies": ["fixed", "shifts"],
            "levels": 2,
            "seeds": 2,
            **changes,
        }
        return SweepConfig(shared=shared, **values)

    return make
