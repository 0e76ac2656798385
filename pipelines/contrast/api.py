"""What `pipelines.contrast` offers by name; it loads torch, so the package imports it on first use."""

from pipelines.contrast.bands import BandLine, ShiftedSchedule, band, check_alpha, default_alpha, frequency_thirds
from pipelines.contrast.batch import LossOptions, PairInfo, PairOptions
from pipelines.contrast.gradient_cache import cached_backward
from pipelines.contrast.losses import InfoNCE, Loss, MaxMargin, Sigmoid, info_nce, max_margin, sigmoid
from pipelines.contrast.processes import Processes
from pipelines.contrast.schedules import (
    ConstantSchedule,
    CosineSchedule,
    Schedule,
    period_steps,
)
from pipelines.contrast.shift_range import dial
from pipelines.contrast.shifts import ShiftRule, cluster_shifts
from pipelines.contrast.strategies import (
    MMTS,
    ISogCLR,
    Learned,
    LossStrategy,
    MMTSLearned,
    Scheduled,
    Strategy,
    StrategyInput,
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
    "Loss",
    "LossOptions",
    "LossStrategy",
    "MMTSLearned",
    "MaxMargin",
    "PairInfo",
    "PairOptions",
    "Processes",
    "Schedule",
    "Scheduled",
    "ShiftRule",
    "ShiftedSchedule",
    "Sigmoid",
    "Strategy",
    "StrategyInput",
    "StrategyOutput",
    "TempNet",
    "band",
    "cached_backward",
    "check_alpha",
    "cluster_shifts",
    "default_alpha",
    "dial",
    "frequency_thirds",
    "info_nce",
    "make_strategy",
    "max_margin",
    "period_steps",
    "sigmoid",
]
