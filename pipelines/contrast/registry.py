"""The losses and temperature strategies there are, by name: the one list that commands, settings and reports read.

It needs no torch, so that a command line can offer the names before anything heavy is loaded. A new loss or strategy
is a file of its own, an entry here, and a test.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pipelines.errors import InputError

Quantity = Literal["temperature", "margin"]


@dataclass(frozen=True)
class LossKind:
    """A loss.

    Attributes:
        name: What it is called on the command line.
        target: Its class, ``"module:Class"``.
        quantity: What the number each pair has is called.
        default_level: That number, where none is given.
        description: What it is, in one line, with its source.
        defaults: Options of its own, and the default of each.
    """

    name: str
    target: str
    quantity: Quantity
    default_level: float
    description: str
    defaults: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> Any:
        """Return its class, a `Loss`; this imports torch."""
        return pkgutil.resolve_name(self.target)


@dataclass(frozen=True)
class StrategyKind:
    """A temperature strategy.

    Attributes:
        name: What it is called on the command line.
        target: What builds it from `Settings`, ``"module:function"``.
        description: What sets the temperature (or margin), in one line, with its source.
        defaults: What it takes of ``tau``, ``alpha``, ``oscillations``, ``tau_min``, ``tau_max``, ``rho`` and
            ``shifts``, and the default of each; None where it follows from the loss or the shifts, or there is none.
        losses: Names of the losses it works with.
        limits: Why it doesn't work with the others; empty where it works with all.
        own_objective: Whether it minimises an objective of its own in the place of the loss.
    """

    name: str
    target: str
    description: str
    defaults: Mapping[str, float | None]
    losses: tuple[str, ...]
    limits: str = ""
    own_objective: bool = False

    @property
    def options(self) -> frozenset[str]:
        """Names of the options it takes."""
        return frozenset(self.defaults)

    def load(self) -> Any:
        """Return what builds it from `Settings`; this imports torch."""
        return pkgutil.resolve_name(self.target)

    def check_loss(self, loss: str) -> None:
        """Refuse a loss that the strategy doesn't work with.

        Raises:
            InputError: It doesn't; the message says why, and what works.
        """
        if loss not in self.losses:
            others = ", ".join(other.name for other in STRATEGIES.values() if loss in other.losses)
            raise InputError(
                f"temperature strategy {self.name!r} doesn't work with loss {loss!r}: {self.limits}; use loss "
                f"{' or '.join(self.losses)}, or one of {others}"
            )


Kind = TypeVar("Kind", LossKind, StrategyKind)


def _by_name(*kinds: Kind) -> Mapping[str, Kind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


LOSSES = _by_name(
    LossKind(
        "infonce",
        "pipelines.contrast.losses.info_nce:InfoNCE",
        "temperature",
        0.07,
        "cross-entropy of each pair against the batch, in both directions (CLIP, arXiv 2103.00020)",
    ),
    LossKind(
        "max-margin",
        "pipelines.contrast.losses.max_margin:MaxMargin",
        "margin",
        0.2,
        "hinge of each pair against every other, in both directions (MM-TS, arXiv 2603.08202)",
    ),
    LossKind(
        "sigmoid",
        "pipelines.contrast.losses.sigmoid:Sigmoid",
        "temperature",
        0.1,
        "each pair of the batch classified by itself, with a learned bias (SigLIP, arXiv 2303.15343)",
        {"bias": -10.0},  # SigLIP's, for batches of 32,768: nearly all pairs are negatives, and start as such
    ),
)

_ANY = tuple(LOSSES)
_WITH_TEMPERATURE = tuple(name for name, kind in LOSSES.items() if kind.quantity == "temperature")

STRATEGIES = _by_name(
    StrategyKind(
        "fixed",
        "pipelines.contrast.strategies.scheduled:fixed",
        "one constant for all pairs",
        {"tau": None},
        _ANY,
    ),
    StrategyKind(
        "learned",
        "pipelines.contrast.strategies.learned:learned",
        "one learned parameter, kept at 0.01 or above (CLIP, arXiv 2103.00020)",
        {"tau": None},
        _WITH_TEMPERATURE,
        "its gradient only ever lowers a margin, down to 0",
    ),
    StrategyKind(
        "cosine",
        "pipelines.contrast.strategies.scheduled:cosine",
        "a cosine around a mean, the same for all pairs (MM-TS without shifts, arXiv 2603.08202)",
        {"tau": None, "alpha": None, "oscillations": 5.0},
        _ANY,
    ),
    StrategyKind(
        "mmts",
        "pipelines.contrast.strategies.scheduled:mmts",
        "a cosine plus the shift of each pair's cluster (MM-TS, arXiv 2603.08202)",
        {"shifts": None, "alpha": None, "oscillations": 5.0},
        _ANY,
    ),
    StrategyKind(
        "mmts-learned",
        "pipelines.contrast.strategies.learned:mmts_learned",
        "as mmts, with a learned level in place of the smallest shift",
        {"shifts": None, "alpha": None, "oscillations": 5.0},
        _WITH_TEMPERATURE,
        "its gradient only ever lowers a margin, down to 0",
    ),
    StrategyKind(
        "ts",
        "pipelines.contrast.strategies.scheduled:ts",
        "a cosine from the highest value down to the lowest and back (TS, arXiv 2303.13664)",
        {"tau_min": 0.1, "tau_max": 1.0, "oscillations": 5.0},
        _ANY,
    ),
    StrategyKind(
        "isogclr",
        "pipelines.contrast.strategies.isogclr:isogclr",
        "one for each sample and side, moved by its own gradient (iSogCLR, arXiv 2305.11965)",
        {"tau": None, "tau_min": 0.005, "tau_max": 0.05, "rho": 8.0},
        ("infonce",),
        "its objective is built on InfoNCE",
        own_objective=True,
    ),
    StrategyKind(
        "tempnet",
        "pipelines.contrast.strategies.tempnet:tempnet",
        "predicted from each embedding by a small network (TempNet, arXiv 2404.04575)",
        {"tau_min": 0.005, "tau_max": 0.05, "rho": 7.0},  # as in the authors' script for CC3M
        ("infonce",),
        "its objective is built on InfoNCE",
        own_objective=True,
    ),
)

# Type checkers see strings, as names come from command lines and files; pydantic and Typer see the choices.
if TYPE_CHECKING:
    LossName = str
    StrategyName = str
else:
    LossName = Literal[tuple(LOSSES)]
    StrategyName = Literal[tuple(STRATEGIES)]
