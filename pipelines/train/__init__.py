"""Stage ``train``: a dual encoder with a scheduled temperature or margin."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.train.config import TrainConfig
    from pipelines.train.stage import train

__all__ = ["TrainConfig", "train"]


def __getattr__(name: str) -> Any:
    """Load torch at the first use of what needs it: the command line reads `settings` without."""
    if name == "TrainConfig":
        from pipelines.train.config import TrainConfig

        return TrainConfig
    if name == "train":
        from pipelines.train.stage import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
