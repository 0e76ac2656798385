"""Dual encoders: a tower and a head per side, saved so that they load anywhere."""

from pipelines.device import choose_device
from pipelines.models.acceleration import compile_towers, enable_gradient_checkpointing
from pipelines.models.build import build_model
from pipelines.models.dual_encoder import DualEncoder
from pipelines.models.encode import EncodedBatch, encode_batches, encode_media, encode_texts, media_batch_size
from pipelines.models.freezing import freeze
from pipelines.models.inputs import open_inputs, require_size
from pipelines.models.lora import LoraSettings, add_lora
from pipelines.models.pooling import POOLINGS
from pipelines.models.projection import PROJECTIONS, make_projection
from pipelines.models.storage import load_model, save_model
from pipelines.models.text import ClipTextTower, SentenceTower, TextTower, load_text_tower
from pipelines.models.tokens import TextTokenizer
from pipelines.models.vision import VisionTower, load_vision_tower

__all__ = [
    "POOLINGS",
    "PROJECTIONS",
    "ClipTextTower",
    "DualEncoder",
    "EncodedBatch",
    "LoraSettings",
    "SentenceTower",
    "TextTokenizer",
    "TextTower",
    "VisionTower",
    "add_lora",
    "build_model",
    "choose_device",
    "compile_towers",
    "enable_gradient_checkpointing",
    "encode_batches",
    "encode_media",
    "encode_texts",
    "freeze",
    "load_model",
    "load_text_tower",
    "load_vision_tower",
    "make_projection",
    "media_batch_size",
    "open_inputs",
    "require_size",
    "save_model",
]
