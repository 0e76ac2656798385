"""The data of ``mmts demo``: small rendered scenes with captions, whose concepts follow a long tail."""

from pipelines.demo.scenes import Scenes, make_scenes
from pipelines.demo.tower import write_tower

__all__ = ["Scenes", "make_scenes", "write_tower"]
