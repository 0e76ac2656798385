"""Temperature- and margin-scheduled contrastive losses: torch only, importable without the rest of mmts.

Losses are functions of embeddings and a temperature (or margin) per pair::

    loss = info_nce(media_nd, text_nd, temperature_n)

Schedules say what the temperature is at a step, shifts how it differs between clusters; both parts of MM-TS by hand::

    schedule = CosineSchedule.from_oscillations(alpha=0.08, total_steps=10_000, oscillations=5)
    shift = cluster_shifts(cluster_size, 0.05, 0.20, "linear")
    loss = info_nce(media_nd, text_nd, schedule(step) + shift[batch])

Strategies do it for a training loop; other people's (fixed, learned, TS, iSogCLR, TempNet) work alike::

    strategy = make_strategy("mmts", alpha=0.08, total_steps=10_000, shift_range=(0.05, 0.20))
    optimizer = AdamW([*groups, *strategy.parameter_groups()])
    output = strategy(media_nd, text_nd, step=step, shift_n=shift[batch])
    output.loss.backward()

With ``processes=Processes()`` a batch spread over processes gives the gradients of the whole batch on one.
`cached_backward` fits batches of any size into the memory of a micro-batch. `adapters` hold losses for other trainers.
"""

from pipelines.contrast.bands import BandLine, ShiftedSchedule, band, check_alpha, frequency_thirds
from pipelines.contrast.batch import LossOptions, PairOptions
from pipelines.contrast.gradient_cache import cached_backward
from pipelines.contrast.info_nce import InfoNCE, info_nce
from pipelines.contrast.max_margin import MaxMargin, max_margin
from pipelines.contrast.processes import Processes
from pipelines.contrast.schedules import (
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    Schedule,
    TSSchedule,
    WarmUpSchedule,
    period_steps,
)
from pipelines.contrast.shifts import ShiftRule, cluster_shifts
from pipelines.contrast.strategies import (
    MMTS,
    STRATEGY_NAMES,
    ISogCLR,
    Learned,
    LossName,
    MMTSLearned,
    Scheduled,
    Strategy,
    StrategyName,
    StrategyOutput,
    TempNet,
    make_strategy,
)

__all__ = [
    "MMTS",
    "STRATEGY_NAMES",
    "BandLine",
    "ConstantSchedule",
    "CosineSchedule",
    "ISogCLR",
    "InfoNCE",
    "Learned",
    "LinearSchedule",
    "LossName",
    "LossOptions",
    "MMTSLearned",
    "MaxMargin",
    "PairOptions",
    "Processes",
    "Schedule",
    "Scheduled",
    "ShiftRule",
    "ShiftedSchedule",
    "Strategy",
    "StrategyName",
    "StrategyOutput",
    "TSSchedule",
    "TempNet",
    "WarmUpSchedule",
    "band",
    "cached_backward",
    "check_alpha",
    "cluster_shifts",
    "frequency_thirds",
    "info_nce",
    "make_strategy",
    "max_margin",
    "period_steps",
]
