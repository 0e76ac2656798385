"""The data of ``mmts demo``: small rendered scenes with captions, whose concepts follow a long tail."""

from pipelines.demo.scenes import Scenes, make_scenes

__all__ = ["Scenes", "make_scenes"]
