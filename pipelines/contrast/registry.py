"""The losses and temperature strategies there are, by name: the one list that commands, settings and reports read.

It needs no torch, so that a command line can offer the names before anything heavy is loaded. A new loss or strategy
is a file of its own, an entry here, and a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

Quantity = Literal["temperature", "margin"]


@dataclass(frozen=True)
class LossKind:
    """A loss.

    Attributes:
        name: What it is called on the command line.
        quantity: What the number each pair has is called.
        default_level: That number, where none is given.
        description: What it is, in one line, with its source.
    """

    name: str
    quantity: Quantity
    default_level: float
    description: str


@dataclass(frozen=True)
class StrategyKind:
    """A temperature strategy.

    Attributes:
        name: What it is called on the command line.
        description: What sets the temperature (or margin), in one line, with its source.
        options: What it takes of ``tau``, ``alpha``, ``oscillations``, ``tau_min``, ``tau_max``, ``rho``, ``shifts``.
        losses: Names of the losses it works with.
        limits: Why it doesn't work with the others; empty where it works with all.
    """

    name: str
    description: str
    options: frozenset[str]
    losses: tuple[str, ...]
    limits: str = ""


Kind = TypeVar("Kind", LossKind, StrategyKind)


def _by_name(*kinds: Kind) -> Mapping[str, Kind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


LOSSES = _by_name(
    LossKind(
        "infonce",
        "temperature",
        0.07,
        "cross-entropy of each pair against the batch, in both directions (CLIP, arXiv 2103.00020)",
    ),
    LossKind(
        "max-margin",
        "margin",
        0.2,
        "hinge of each pair against every other, in both directions (MM-TS, arXiv 2603.08202)",
    ),
)

_ANY = tuple(LOSSES)
_WITH_TEMPERATURE = tuple(name for name, kind in LOSSES.items() if kind.quantity == "temperature")

STRATEGIES = _by_name(
    StrategyKind(
        "fixed",
        "one constant for all pairs",
        frozenset({"tau"}),
        _ANY,
    ),
    StrategyKind(
        "learned",
        "one learned parameter, kept at 0.01 or above (CLIP, arXiv 2103.00020)",
        frozenset({"tau"}),
        _WITH_TEMPERATURE,
        "its gradient only ever lowers a margin, down to 0",
    ),
    StrategyKind(
        "cosine",
        "a cosine around a mean, the same for all pairs (MM-TS without shifts, arXiv 2603.08202)",
        frozenset({"tau", "alpha", "oscillations"}),
        _ANY,
    ),
    StrategyKind(
        "mmts",
        "a cosine plus the shift of each pair's cluster (MM-TS, arXiv 2603.08202)",
        frozenset({"shifts", "alpha", "oscillations"}),
        _ANY,
    ),
    StrategyKind(
        "mmts-learned",
        "as mmts, with a learned level in place of the smallest shift",
        frozenset({"shifts", "alpha", "oscillations"}),
        _WITH_TEMPERATURE,
        "its gradient only ever lowers a margin, down to 0",
    ),
    StrategyKind(
        "ts",
        "a cosine from the highest value down to the lowest and back (TS, arXiv 2303.13664)",
        frozenset({"tau_min", "tau_max", "oscillations"}),
        _ANY,
    ),
    StrategyKind(
        "isogclr",
        "one for each sample and side, moved by its own gradient (iSogCLR, arXiv 2305.11965)",
        frozenset({"tau", "tau_min", "tau_max", "rho"}),
        ("infonce",),
        "its objective is built on InfoNCE",
    ),
    StrategyKind(
        "tempnet",
        "predicted from each embedding by a small network (TempNet, arXiv 2404.04575)",
        frozenset({"tau_min", "tau_max", "rho"}),
        ("infonce",),
        "its objective is built on InfoNCE",
    ),
)

# Type checkers see strings, as names come from command lines and files; pydantic and Typer see the choices.
if TYPE_CHECKING:
    LossName = str
    StrategyName = str
else:
    LossName = Literal[tuple(LOSSES)]
    StrategyName = Literal[tuple(STRATEGIES)]
