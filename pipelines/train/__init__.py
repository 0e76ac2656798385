"""Stage ``train``: a dual encoder with a scheduled temperature or margin."""

from pipelines.train.config import TrainConfig
from pipelines.train.stage import train

__all__ = ["TrainConfig", "train"]
