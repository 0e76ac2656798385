"""What a strategy is built from: the numbers of a command line or a configuration file, defaults filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.contrast.bands import default_alpha
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.registry import LOSSES, StrategyKind
from pipelines.contrast.schedules import CosineSchedule, period_steps
from pipelines.errors import InputError


@dataclass(frozen=True)
class Settings:
    """What `make_strategy` was given, for the one strategy that is built.

    ``settings["tau"]`` is the number of an option: the one given, else its default.

    Attributes:
        kind: The strategy.
        loss: The loss.
        given: Numbers of options; None where not given.
        total_steps: Optimizer steps in the run.
        period: Steps of an oscillation, instead of ``oscillations``.
        shifts: Smallest and largest shift in the training data.
        sample_ids: Ids of the training samples.
        embedding_size: Columns of the embeddings.
    """

    kind: StrategyKind
    loss: Loss
    given: Mapping[str, float | None]
    total_steps: int | None = None
    period: float | None = None
    shifts: tuple[float, float] | None = None
    sample_ids: Sequence[str] | None = None
    embedding_size: int | None = None

    def __getitem__(self, option: str) -> float:
        """Return the number of an option that the strategy takes."""
        number = self.given.get(option)
        if number is None:
            number = self.kind.defaults[option]
        if number is not None:
            return number
        if option == "alpha":
            return default_alpha(self["tau"] if "tau" in self.kind.options else self.shift_range[0])
        assert option == "tau", option  # the registry has a default for all others
        level = LOSSES[self.loss.name].default_level
        if "tau_min" in self.kind.options:
            level = min(max(level, self["tau_min"]), self["tau_max"])
        return level

    def resolved(self) -> dict[str, float]:
        """Return the numbers of all options that the strategy takes."""
        return {option: self[option] for option in sorted(self.kind.options - {"shifts"})}

    @property
    def shift_range(self) -> tuple[float, float]:
        """Smallest and largest shift in the training data.

        Raises:
            InputError: There are none.
        """
        if self.shifts is None:
            raise InputError(f"temperature strategy {self.kind.name!r} needs shifts; make them with `mmts shifts`")
        return self.shifts

    @property
    def samples(self) -> Sequence[str]:
        """Ids of the training samples.

        Raises:
            InputError: There are none.
        """
        if self.sample_ids is None:
            raise InputError(f"temperature strategy {self.kind.name!r} needs the ids of the training samples")
        return self.sample_ids

    def cosine(self, alpha: float, *, mean: float = 0.0) -> CosineSchedule:
        """Return the cosine with the run's period.

        Args:
            alpha: Distance from the lowest to the highest value; with 0 there need be no period.
            mean: Mean of the cosine.

        Raises:
            InputError: There is no period, or an oscillation would be shorter than a step.
        """
        if not alpha:
            return CosineSchedule(alpha, 1, mean)
        period = self.period
        if period is None:
            if self.total_steps is None:
                raise InputError(
                    f"temperature strategy {self.kind.name!r} needs a period, or total_steps and oscillations"
                )
            period = period_steps(self.total_steps, self["oscillations"])
        return CosineSchedule(alpha, period, mean)
