"""What a sweep is told, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.sweep.settings import LEVELS, LOSSES, NOT_SHARED, SEEDS, STRATEGIES
from pipelines.sweep.space import Way, check_search, find_ways
from pipelines.train import TrainConfig

_MOST = 1000  # trials or seeds; what the options are drawn by is a list of that length


@dataclass(frozen=True)
class SweepConfig:
    """Settings of a sweep.

    Attributes:
        output: Folder to write.
        shared: Settings that all runs share, by the names that `TrainConfig` gives them: files, epochs, batch size,
            ``metric``, by which the validation chooses, and ``seed``, of the search.
        clusters: Clusters files, for shifts, sampling, weights and logit adjustment; several are averaged.
        frequency: What head, middle and tail follow from, as in `TrainConfig`; by default the clusters.
        strategies: Ways of balancing, the baseline first: a temperature strategy, or one with another balance after a
            plus (``fixed+sampling``).
        losses: Losses; each strategy is tried with each that it works with.
        levels: Levels of temperature or margin, and so trials of each strategy and loss.
        seeds: Runs of the best setting of each, with other seeds than the search, scored on the test split.
        budget: Most runs in all; fewer levels are tried where they don't fit.
        test_split: Split that those runs are scored on.
        search: Other ranges of options, by name.

    Raises:
        InputError: A setting can't be used, or the budget is too small.
    """

    output: Path
    shared: Mapping[str, Any]
    clusters: Sequence[Path] = ()
    frequency: str | None = None
    strategies: Sequence[str] = tuple(STRATEGIES.split(","))
    losses: Sequence[str] = (LOSSES,)
    levels: int = LEVELS
    seeds: int = SEEDS
    budget: int | None = None
    test_split: str = "test"
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in NOT_SHARED.intersection(self.shared):
            raise InputError(f"--{name.replace('_', '-')}: is not shared by the runs of a sweep; leave it out")
        for name in ("levels", "seeds"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise InputError(f"--{name} {getattr(self, name)}: expected a number from 1 to {_MOST:,}")
        check_search(self.search, self.ways)
        lacking = [way.name for way in self.ways if (way.has_shifts or way.needs_sizes) and not self.clusters]
        if lacking:
            raise InputError(
                f"--strategies {lacking[0]} needs cluster sizes; give --clusters, as `mmts cluster` makes them, or "
                "leave it out"
            )
        needed = any(way.has_shifts or way.needs_sizes for way in self.ways)
        if self.clusters and not needed and self.frequency is not None:
            raise InputError("--clusters has no effect with these --strategies and --frequency; leave it out")
        if self.shared.get("val_split") == "none":
            raise InputError("--val-split none: a sweep chooses by validation; name a split")
        used = {"val_split": "what settings are chosen on", "split": "what runs are trained on"}
        for name, what in used.items():
            if self.test_split == self.shared.get(name, TrainConfig.model_fields[name].default):
                raise InputError(f"--test-split {self.test_split}: is {what}; score them on another")
        if self.trials < 1:
            least_runs = len(self.ways) * (1 + self.seeds)
            raise InputError(
                f"--budget {self.budget}: {len(self.ways)} strategies with {self.seeds} seeds take {least_runs} runs "
                "or more; raise it, or leave some out"
            )
        self.first_config()

    @property
    def ways(self) -> list[Way]:
        """The ways of balancing that are compared, the baseline first."""
        return find_ways(self.strategies, self.losses)

    @property
    def trials(self) -> int:
        """Trials of each way."""
        if self.budget is None:
            return self.levels
        return min(self.levels, self.budget // len(self.ways) - self.seeds)

    @property
    def runs(self) -> int:
        """Runs in all."""
        return len(self.ways) * (self.trials + self.seeds)

    @property
    def metric(self) -> str:
        """The score that settings are chosen by."""
        return str(self.shared.get("metric", TrainConfig.model_fields["metric"].default))

    @property
    def seed(self) -> int:
        """The seed of the search."""
        return int(self.shared.get("seed", 0))

    def train_config(self, **settings: Any) -> TrainConfig:
        """The settings of a run: those shared, and its own.

        Raises:
            InputError: They can't be used together.
        """
        return TrainConfig(**{"output": self.output, **self.shared, **settings})

    def first_config(self) -> TrainConfig:
        """The settings of a run without shifts or clusters; what all read."""
        metric = (
            {} if not self.frequency and not self.clusters else {"frequency": self.frequency or str(self.clusters[0])}
        )
        return self.train_config(temperature="fixed", **metric)
