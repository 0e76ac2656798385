"""What `pipelines.contrast` offers by name; it loads torch, so the package imports it on first use."""

from pipelines.contrast.bands import BandLine, ShiftedSchedule, band, check_alpha, frequency_thirds
from pipelines.contrast.batch import LossOptions, PairOptions
from pipelines.contrast.gradient_cache import cached_backward
from pipelines.contrast.losses.info_nce import InfoNCE, info_nce
from pipelines.contrast.losses.max_margin import MaxMargin, max_margin
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
    ISogCLR,
    Learned,
    MMTSLearned,
    Scheduled,
    Strategy,
    StrategyOutput,
    TempNet,
    make_strategy,
)

__all__ = [
    "MMTS",
    "BandLine",
    "ConstantSchedule",
    "CosineSchedule",
    "ISogCLR",
    "InfoNCE",
    "Learned",
    "LinearSchedule",
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
