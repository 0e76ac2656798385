"""What is tried, and how it is judged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from pipelines.errors import InputError

if TYPE_CHECKING:
    from pipelines.contrast.shifts import ShiftRule

DEFAULT_KS = (50, 100, 200, 500)
SEEDS, SAMPLE = 8, 5_000
_MOST_SEEDS = 100


@dataclass(frozen=True)
class Settings:
    """What is tried, and how it is judged.

    Attributes:
        ks: Numbers of clusters to try; `DEFAULT_KS`, as far as there are twice as many distinct vectors, if None.
        seeds: Clusterings of each, with seeds from 0.
        rule: How sizes become shifts, see `pipelines.contrast.cluster_shifts`.
        sample: Fitted samples that silhouettes are computed on, drawn at random, always the same.

    Raises:
        InputError: A number is out of range, or the rule is unknown.
    """

    ks: tuple[int, ...] | None = None
    seeds: int = SEEDS
    rule: "ShiftRule" = "log"
    sample: int = SAMPLE

    def __post_init__(self) -> None:
        """Check the values."""
        from pipelines.contrast.shifts import ShiftRule

        for k in self.ks if self.ks is not None else DEFAULT_KS:
            if k < 2:
                raise InputError(f"k {k}: one cluster has no tail; give numbers of 2 or more")
        if self.ks is not None and not self.ks:
            raise InputError("no k to try; give numbers such as 50,100,200,500")
        if not 2 <= self.seeds <= _MOST_SEEDS:
            raise InputError(f"--seeds {self.seeds}: expected 2 to {_MOST_SEEDS}: clusterings are compared in pairs")
        if self.rule not in get_args(ShiftRule):
            raise InputError(f"--rule {self.rule}: expected one of {', '.join(get_args(ShiftRule))}")
        if self.sample < 2:
            raise InputError(f"--sample {self.sample}: expected at least 2")
