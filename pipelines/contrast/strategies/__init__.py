"""Temperature strategies behind one interface."""

from pipelines.contrast.strategies.base import LossStrategy, Strategy, StrategyInput, StrategyOutput
from pipelines.contrast.strategies.factory import make_strategy
from pipelines.contrast.strategies.isogclr import ISogCLR
from pipelines.contrast.strategies.learned import Learned, MMTSLearned
from pipelines.contrast.strategies.scheduled import MMTS, Scheduled
from pipelines.contrast.strategies.tempnet import TempNet

__all__ = [
    "MMTS",
    "ISogCLR",
    "Learned",
    "LossStrategy",
    "MMTSLearned",
    "Scheduled",
    "Strategy",
    "StrategyInput",
    "StrategyOutput",
    "TempNet",
    "make_strategy",
]
