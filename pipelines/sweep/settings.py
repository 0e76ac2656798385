"""Defaults of a sweep, and which settings of ``mmts train`` its runs don't share; loads nothing heavy."""

from collections.abc import Mapping
from typing import Any

STRATEGIES = "fixed,learned,cosine,ts,shifts,mmts,isogclr,tempnet"
LOSSES = "infonce"
LEVELS = 8
SEEDS = 5

# What each trial or the sweep itself sets, and what makes no sense in a run that leaves no folder.
NOT_SHARED = frozenset(
    {
        *(
            "output",
            "loss",
            "temperature",
            "tau",
            "alpha",
            "oscillations",
            "tau_min",
            "tau_max",
            "rho",
            "bias",
            "shifts",
        ),
        *("clusters", "frequency", "weight", "adjust", "sampling", "power", "duplicates"),
        *("logger", "checkpoint_minutes", "checkpoint_steps", "devices", "nodes", "parallel"),
    }
)


def options_words(options: Mapping[str, Any]) -> str:
    """The options of a trial, such as ``level 0.07, rule log``."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )
