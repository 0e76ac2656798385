"""Strategies by name, from the numbers a command line or a configuration file has."""

from collections.abc import Sequence
from typing import Unpack

from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LOSSES, STRATEGIES, LossName, StrategyName
from pipelines.contrast.schedules import (
    ConstantSchedule,
    CosineSchedule,
    Schedule,
    TSSchedule,
    WarmUpSchedule,
    period_steps,
)
from pipelines.contrast.strategies.base import Strategy
from pipelines.contrast.strategies.isogclr import ISogCLR
from pipelines.contrast.strategies.learned import Learned, MMTSLearned
from pipelines.contrast.strategies.scheduled import MMTS, Scheduled
from pipelines.contrast.strategies.tempnet import TempNet
from pipelines.errors import InputError

_DEFAULT_RANGE = {"ts": (0.1, 1.0), "isogclr": (0.005, 0.05), "tempnet": (0.005, 0.05)}


def make_strategy(
    name: StrategyName,
    *,
    loss: LossName = "infonce",
    tau: float | None = None,
    alpha: float = 0.08,
    total_steps: int | None = None,
    oscillations: float = 5.0,
    period: float | None = None,
    phase: float = 0.0,
    warmup_steps: int = 0,
    shift_range: tuple[float, float] | None = None,
    tau_min: float | None = None,
    tau_max: float | None = None,
    rho: float | None = None,
    sample_ids: Sequence[str] | None = None,
    embedding_size: int | None = None,
    **options: Unpack[LossOptions],
) -> Strategy:
    """Return the strategy of a name; arguments it has no use for are ignored.

    Args:
        name: One of `STRATEGIES`.
        loss: One of `LOSSES` that the strategy works with.
        tau: Temperature, or margin: constant for fixed, the mean for cosine, the first value for learned and
            isogclr. By default 0.07, or a margin of 0.2.
        alpha: Distance from the lowest to the highest value of the cosine (cosine, mmts, mmts-learned).
        total_steps: Optimizer steps in the run. Where given, settings that would not stay positive are refused.
        oscillations: Full oscillations in the run, ``period = int(total_steps / oscillations)``.
        period: Steps of an oscillation, instead of ``oscillations``.
        phase: Where in the oscillation step 0 lies, as a fraction of a period.
        warmup_steps: Steps of a straight line from the middle of the cosine up to its first value, before it starts.
        shift_range: Smallest and largest shift in the training data (mmts, mmts-learned).
        tau_min: Lowest temperature (ts 0.1, isogclr and tempnet 0.005).
        tau_max: Highest temperature (ts 1.0, isogclr and tempnet 0.05).
        rho: Weight of the temperature itself in the robust objective (isogclr, tempnet).
        sample_ids: Ids of the training samples (isogclr).
        embedding_size: Columns of the embeddings (tempnet).
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: The name is unknown, something it needs is missing, or it doesn't fit the loss.
    """
    if loss not in LOSSES:
        raise InputError(f"loss {loss!r} is unknown; choose one of {', '.join(LOSSES)}")
    level = LOSSES[loss].default_level if tau is None else tau

    def steps_of_period() -> float:
        if period is not None:
            return period
        if total_steps is None:
            raise InputError(f"temperature strategy {name!r} needs a period, or total_steps and oscillations")
        return period_steps(total_steps, oscillations)

    def cosine(offset: float) -> Schedule:
        base = CosineSchedule(alpha, steps_of_period() if alpha else 1, phase, offset)
        return WarmUpSchedule(base, warmup_steps, offset) if warmup_steps else base

    def shifts() -> tuple[float, float]:
        if shift_range is None:
            raise InputError(f"temperature strategy {name!r} needs shifts; make them with `mmts shifts`")
        return shift_range

    default_min, default_max = _DEFAULT_RANGE.get(name, (0.0, 0.0))
    low = default_min if tau_min is None else tau_min
    high = default_max if tau_max is None else tau_max
    strategy: Strategy
    match name:
        case "fixed":
            strategy = Scheduled(ConstantSchedule(level), loss, **options)
        case "cosine":
            strategy = Scheduled(cosine(level), loss, **options)
        case "ts":
            strategy = Scheduled(TSSchedule(low, high, steps_of_period(), phase), loss, **options)
        case "mmts":
            strategy = MMTS(cosine(0.0), shifts(), loss, **options)
        case "learned":
            strategy = Learned(level, loss, **options)
        case "mmts-learned":
            strategy = MMTSLearned(cosine(0.0), shifts(), loss, **options)
        case "isogclr":
            if sample_ids is None:
                raise InputError("temperature strategy 'isogclr' needs the ids of the training samples")
            first = min(max(level, low), high)
            strategy = ISogCLR(sample_ids, tau=first, tau_min=low, tau_max=high, rho=rho, loss=loss, **options)
        case "tempnet":
            if embedding_size is None:
                raise InputError("temperature strategy 'tempnet' needs the number of columns of the embeddings")
            strategy = TempNet(embedding_size, tau_min=low, tau_max=high, rho=rho, loss=loss, **options)
        case _:
            raise InputError(f"temperature strategy {name!r} is unknown; choose one of {', '.join(STRATEGIES)}")
    if total_steps is not None:
        strategy.check(total_steps)
    return strategy
