"""Dual encoders: a tower and a head per side, saved so that they load anywhere."""

from pipelines.models.device import choose_device
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.encode import encode_media, encode_texts
from pipelines.models.heads import HEADS, make_head
from pipelines.models.storage import load_model, save_model
from pipelines.models.vision import VisionTower

__all__ = [
    "HEADS",
    "DualEncoder",
    "VisionTower",
    "choose_device",
    "encode_media",
    "encode_texts",
    "load_model",
    "make_head",
    "save_model",
]
