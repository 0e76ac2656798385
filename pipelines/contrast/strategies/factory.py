"""Strategies by name, from the numbers a command line or a configuration file has."""

from collections.abc import Sequence
from typing import Unpack

from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LOSSES, STRATEGIES, LossName, StrategyName
from pipelines.contrast.strategies.base import Strategy
from pipelines.contrast.strategies.settings import Settings
from pipelines.errors import InputError


def make_strategy(
    name: StrategyName,
    *,
    loss: LossName = "infonce",
    tau: float | None = None,
    alpha: float | None = None,
    oscillations: float | None = None,
    tau_min: float | None = None,
    tau_max: float | None = None,
    rho: float | None = None,
    bias: float | None = None,
    total_steps: int | None = None,
    period: float | None = None,
    shift_range: tuple[float, float] | None = None,
    sample_ids: Sequence[str] | None = None,
    embedding_size: int | None = None,
    **options: Unpack[LossOptions],
) -> Strategy:
    """Return the strategy of a name; arguments it has no use for are ignored.

    Numbers that are None have the defaults of `STRATEGIES`; the strategy's ``settings`` say which numbers it has.

    Args:
        name: One of `STRATEGIES`.
        loss: One of `LOSSES` that the strategy works with.
        tau: Temperature, or margin: constant for fixed, the mean for cosine, the first value for learned and
            isogclr. By default that of the loss.
        alpha: Distance from the lowest to the highest value of the cosine (cosine, mmts, mmts-learned); by default
            `default_alpha` of ``tau`` or the smallest shift.
        oscillations: Full oscillations in the run, ``period = int(total_steps / oscillations)``.
        tau_min: Lowest temperature (ts, isogclr, tempnet).
        tau_max: Highest temperature (ts, isogclr, tempnet).
        rho: Weight of the temperature itself in the robust objective (isogclr, tempnet).
        bias: First value of the bias that the sigmoid loss learns.
        total_steps: Optimizer steps in the run. Where given, settings that would not stay positive are refused.
        period: Steps of an oscillation, instead of ``oscillations``.
        shift_range: Smallest and largest shift in the training data (mmts, mmts-learned).
        sample_ids: Ids of the training samples (isogclr, tempnet).
        embedding_size: Columns of the embeddings (tempnet).
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: A name is unknown, something needed is missing, or the strategy doesn't work with the loss.
    """
    if loss not in LOSSES:
        raise InputError(f"loss {loss!r} is unknown; choose one of {', '.join(LOSSES)}")
    if name not in STRATEGIES:
        raise InputError(f"temperature strategy {name!r} is unknown; choose one of {', '.join(STRATEGIES)}")
    kind = STRATEGIES[name]
    kind.check_loss(loss)
    own = {"bias": bias} if bias is not None and "bias" in LOSSES[loss].defaults else {}
    settings = Settings(
        kind,
        LOSSES[loss].load()(**own, **options),
        {
            **{"tau": tau, "alpha": alpha, "oscillations": oscillations},
            **{"tau_min": tau_min, "tau_max": tau_max, "rho": rho},
        },
        total_steps,
        period,
        shift_range,
        sample_ids,
        embedding_size,
    )
    strategy: Strategy = kind.load()(settings)
    strategy.settings = settings.resolved()
    if total_steps is not None:
        strategy.check(total_steps)
    return strategy
