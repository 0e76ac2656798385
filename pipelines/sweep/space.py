"""What a sweep searches: each way of balancing head and tail with options of its own, as many trials for each.

A way is a temperature strategy, alone or with another balance after a plus: ``mmts``, ``fixed+sampling``. Every trial
of every way has one of the same few levels of temperature (or margin), as the level matters most; other options are
drawn so that each one's range is covered evenly, however few trials there are (Latin hypercube sampling, McKay, Beckman
and Conover, 1979).
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines.artifacts.files import nearest
from pipelines.contrast import LOSSES, STRATEGIES
from pipelines.contrast.shift_range import dial
from pipelines.errors import InputError

Values = dict[str, Any]

LEVELS_FACTOR = 3.0  # levels lie between a loss's default level divided by this and multiplied with it


@dataclass(frozen=True)
class Option:
    """An option that is searched.

    Attributes:
        help: What it is, as a table of results explains it.
        low: Lowest value, in a range.
        high: Highest.
        is_log: Whether values are spread by ratio.
        choices: The values, where it is no range.
        least: Lowest value that makes sense.
        most: Highest.
    """

    help: str
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    choices: tuple[Any, ...] = ()
    least: float = 1e-4
    most: float = 1e4

    def at(self, place: float) -> Any:
        """The value at a place in the range, from 0 to 1."""
        if self.choices:
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        if self.is_log:
            return _rounded(self.low * (self.high / self.low) ** place)
        return _rounded(self.low + (self.high - self.low) * place)


# Beside ``level``, whose range is the loss's.
OPTIONS: Mapping[str, Option] = {
    "swing": Option("how far the cosine swings, as a part of the lowest level", 0.0, 0.9, least=0.0, most=0.99),
    "oscillations": Option("full periods of the cosine over the run", choices=(1.0, 2.0, 5.0, 10.0)),
    "spread": Option("highest level over lowest", 1.5, 10.0, is_log=True, least=1.001),
    "tail": Option(
        "how far frequency moves the level: above 0 lower for rare samples, below 0 for frequent ones",
        -1.0,
        1.0,
        least=-1.0,
        most=1.0,
    ),
    "rule": Option("how cluster sizes in between are placed", choices=("linear", "log", "rank")),
    "rho": Option("weight of the temperature in the robust objective", 1.0, 9.0),
    "bias": Option("first value of the sigmoid loss's bias", -10.0, -3.0, least=-100.0, most=100.0),
    "power": Option("how media are drawn: 1 as the data are, 0 each cluster alike", 0.0, 0.9, least=0.0, most=1.0),
    "adjust": Option("weight of the logit adjustment", 0.1, 2.0, is_log=True),
    "weight": Option("pairs are weighted by their cluster's size to the power of minus this", 0.1, 1.0),
    "duplicates": Option("what pairs that share a medium or a text are to each other", choices=("mask", "positive")),
}

_OF_STRATEGY: Mapping[str, tuple[str, ...]] = {
    "fixed": (),
    "learned": (),
    "cosine": ("swing", "oscillations"),
    "shifts": ("tail", "rule"),
    "mmts": ("tail", "rule", "swing", "oscillations"),
    "mmts-learned": ("tail", "rule", "swing", "oscillations"),
    "ts": ("spread", "oscillations"),
    "isogclr": ("spread", "rho"),
    "tempnet": ("spread", "rho"),
}
_OF_BALANCE: Mapping[str, str] = {
    "sampling": "power",
    "adjust": "adjust",
    "weight": "weight",
    "duplicates": "duplicates",
}
_SHIFTS_ALONE = "shifts"  # mmts without its cosine, by the name that papers' ablations give it
_WITH_SHIFTS = ("shifts", "mmts", "mmts-learned")


@dataclass(frozen=True)
class Way:
    """A way of balancing head and tail, in one loss.

    Attributes:
        name: As given, such as ``mmts`` or ``fixed+sampling``.
        loss: The loss.
        strategy: The temperature strategy, or ``shifts``.
        balance: The other balance; empty for none.
    """

    name: str
    loss: str
    strategy: str
    balance: str

    def title(self, losses: Sequence[str]) -> str:
        """What it is called where there are these losses."""
        return self.name if len(losses) == 1 else f"{self.name}, {self.loss}"

    @property
    def options(self) -> tuple[str, ...]:
        """What is searched beside the level."""
        of_balance = (_OF_BALANCE[self.balance],) if self.balance else ()
        return (*LOSSES[self.loss].defaults, *_OF_STRATEGY[self.strategy], *of_balance)

    @property
    def has_shifts(self) -> bool:
        """Whether it takes shifts."""
        return self.strategy in _WITH_SHIFTS

    @property
    def needs_sizes(self) -> bool:
        """Whether it takes cluster sizes other than through shifts."""
        return self.balance in ("sampling", "adjust", "weight")

    def settings(self, drawn: Values) -> Values:
        """Settings of ``mmts train`` for a trial, but its files; those of its shifts under ``shifts``."""
        level = drawn["level"]
        settings: Values = {
            "loss": self.loss,
            "temperature": "mmts" if self.strategy == _SHIFTS_ALONE else self.strategy,
        }
        lowest = level
        if self.has_shifts:
            settings["shifts"] = {"level": level, "tail": drawn["tail"], "rule": drawn["rule"]}
            lowest = min(dial(level, drawn["tail"]))
            if self.strategy == _SHIFTS_ALONE:
                settings["alpha"] = 0.0
        elif self.strategy in ("ts", "isogclr", "tempnet"):
            side = math.sqrt(drawn["spread"])
            settings |= {"tau_min": _rounded(level / side), "tau_max": _rounded(level * side)}
        if "tau" in STRATEGIES[settings["temperature"]].options:
            settings["tau"] = level
        if "swing" in drawn:
            settings["alpha"] = _rounded(2 * lowest * drawn["swing"])
        if settings.get("alpha") == 0 and "oscillations" in drawn:
            drawn = {name: value for name, value in drawn.items() if name != "oscillations"}
        if self.balance == "sampling":
            settings["sampling"] = "cluster"
        passed = ("bias", "oscillations", "rho", "power", "adjust", "weight", "duplicates")
        return settings | {name: drawn[name] for name in passed if name in drawn}


def find_ways(strategies: Sequence[str], losses: Sequence[str]) -> list[Way]:
    """The ways of balancing that some names stand for, each with each loss that it works with.

    Raises:
        InputError: A name is unknown or given twice, or a strategy works with none of the losses.
    """
    for names, kind in ((strategies, "--strategies"), (losses, "--losses")):
        if not names:
            raise InputError(f"{kind}: is empty; name one or more")
        doubled = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
        if doubled:
            raise InputError(f"{kind} {doubled[0]}: is given twice")
    for loss in losses:
        if loss not in LOSSES:
            raise InputError(f"--losses {loss}: expected one of {', '.join(LOSSES)}{nearest(loss, list(LOSSES))}")
    ways = []
    for name in strategies:
        strategy, _, balance = name.partition("+")
        if strategy not in _OF_STRATEGY:
            known = ", ".join(_OF_STRATEGY)
            raise InputError(f"--strategies {name}: expected one of {known}{nearest(strategy, list(_OF_STRATEGY))}")
        if "+" in name and balance not in _OF_BALANCE:
            known = ", ".join(_OF_BALANCE)
            raise InputError(
                f"--strategies {name}: expected one of {known} after +{nearest(balance, list(_OF_BALANCE))}"
            )
        fitting = [loss for loss in losses if _works(strategy, loss, balance)]
        if not fitting:
            raise InputError(f"--strategies {name}: works with none of the losses {', '.join(losses)}; leave it out")
        ways += [Way(name, loss, strategy, balance) for loss in fitting]
    return ways


def _works(strategy: str, loss: str, balance: str) -> bool:
    """Whether a strategy works with a loss, and a balance with both: a hinge has no logits that could be adjusted."""
    kind = STRATEGIES["mmts" if strategy == _SHIFTS_ALONE else strategy]
    if balance == "adjust" and (kind.own_objective or loss == "max-margin"):
        return False
    return loss in kind.losses


def level_option(loss: str) -> Option:
    """The range of levels of a loss."""
    middle = LOSSES[loss].default_level
    return Option("level of temperature or margin", middle / LEVELS_FACTOR, middle * LEVELS_FACTOR, is_log=True)


def draw(
    way: Way, trials: int, seed: int, search: Mapping[str, Sequence[Any]], steps: int | None = None
) -> list[Values]:
    """The options of a way's trials.

    Args:
        way: The way.
        trials: How many.
        seed: Seed of the draw.
        search: Other ranges, by option: lowest and highest of a range, or choices.
        steps: Optimizer steps of a run; oscillations that don't fit are left out, unless they were asked for.

    Raises:
        InputError: Oscillations that were asked for don't fit.
    """
    options = {"level": level_option(way.loss), **{name: OPTIONS[name] for name in way.options}}
    options = {name: _narrowed(name, option, search.get(name)) for name, option in options.items()}
    if steps is not None and "oscillations" in options:
        fitting = tuple(number for number in options["oscillations"].choices if number <= steps)
        if "oscillations" in search and fitting != options["oscillations"].choices:
            most = max(options["oscillations"].choices)
            raise InputError(f"search oscillations = {most:g}: a run has {steps} steps; give {steps} at most")
        options["oscillations"] = replace(options["oscillations"], choices=fitting)
    generator = np.random.default_rng((seed, zlib.crc32(f"{way.name} {way.loss}".encode())))
    level = options.pop("level")
    places = [row / (trials - 1) if trials > 1 else 0.5 for row in range(trials)]
    drawn: list[Values] = [{"level": level.at(place)} for place in places]
    for name, option in options.items():
        for row, stratum in enumerate(generator.permutation(trials)):
            drawn[row][name] = option.at((stratum + 0.5) / trials)
    return drawn


def check_search(search: Mapping[str, Sequence[Any]], ways: Sequence[Way]) -> None:
    """Check the ranges that were given.

    Raises:
        InputError: An option is unknown, or none of the ways has it, or its values make no sense.
    """
    used = {"level", *(name for way in ways for name in way.options)}
    for name, values in search.items():
        if name != "level" and name not in OPTIONS:
            known = ["level", *OPTIONS]
            raise InputError(f"search {name}: expected one of {', '.join(known)}{nearest(name, known)}")
        if name not in used:
            raise InputError(f"search {name}: none of the strategies has it; leave it out")
        _narrowed(name, OPTIONS.get(name, level_option("infonce")), values)


def _narrowed(name: str, option: Option, values: Sequence[Any] | None) -> Option:
    """An option with another range, or other choices.

    Raises:
        InputError: The values make no sense.
    """
    if values is None:
        return option
    given = f"search {name} = {' '.join(map(str, values))}"
    if option.choices and isinstance(option.choices[0], str):
        if not values or not set(values) <= set(option.choices):
            raise InputError(f"{given}: expected some of {', '.join(option.choices)}")
        return replace(option, choices=tuple(values))
    numbers = [float(value) for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
    if len(numbers) != len(values) or not numbers or (len(numbers) > 2 and not option.choices):
        raise InputError(f"{given}: expected {'numbers' if option.choices else 'the lowest and the highest number'}")
    least, most = option.least, option.most
    if not least <= min(numbers) <= max(numbers) <= most or (numbers[0] > numbers[-1] and not option.choices):
        raise InputError(f"{given}: expected numbers from {least:g} to {most:g}, the lowest first")
    if option.choices:
        return replace(option, choices=tuple(numbers))
    return replace(option, low=numbers[0], high=numbers[-1])


def _rounded(value: float) -> float:
    """A value as short as people would type it, so that a setting that is shown is the one that was tried."""
    return float(f"{value:.3g}")
