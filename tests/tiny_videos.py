"""Tiny video models of every kind, saved as transformers saves them."""

from pathlib import Path
from typing import Any

import torch

FRAMES = 4
_SIZE = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_CLIPS = {"image_size": 16, "num_frames": FRAMES}
_TEXT = {**_SIZE, "vocab_size": 20, "max_position_embeddings": 7}
_TEXT |= {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}


def _timesformer() -> Any:
    from transformers import TimesformerConfig, TimesformerModel

    return TimesformerModel(TimesformerConfig(**_SIZE, **_CLIPS, patch_size=8))


def _vivit() -> Any:
    from transformers import VivitConfig, VivitModel

    return VivitModel(VivitConfig(**_SIZE, **_CLIPS, tubelet_size=[2, 8, 8]))


def _videomae() -> Any:
    from transformers import VideoMAEConfig, VideoMAEModel

    return VideoMAEModel(VideoMAEConfig(**_SIZE, **_CLIPS, patch_size=8, tubelet_size=2))


def _vjepa2() -> Any:
    from transformers import VJEPA2Config, VJEPA2Model

    predictor = {"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    sizes = {**_SIZE, "intermediate_size": None, "crop_size": 16, "frames_per_clip": FRAMES}
    del sizes["intermediate_size"]
    return VJEPA2Model(VJEPA2Config(**sizes, **predictor, patch_size=8, tubelet_size=2, mlp_ratio=1))


def _videoprism() -> Any:
    from transformers import VideoPrismClipModel, VideoPrismConfig

    layers = {"num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1}
    vision = {**_SIZE, **_CLIPS, **layers, "tubelet_size": [1, 8, 8]}
    return VideoPrismClipModel(VideoPrismConfig(vision_config=vision, text_config=_TEXT))


def _xclip() -> Any:
    from transformers import XCLIPConfig, XCLIPModel

    mit = {"mit_hidden_size": 6, "mit_intermediate_size": 8, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}
    vision = {**_SIZE, **_CLIPS, "patch_size": 8, **mit}
    return XCLIPModel(
        XCLIPConfig(vision_config=vision, text_config=_TEXT, projection_dim=6, prompt_num_attention_heads=2)
    )


def _space_time(attention: str) -> Any:
    from pipelines.modeling.modeling_space_time import SpaceTimeClipConfig, SpaceTimeClipModel

    vision = {**_SIZE, **_CLIPS, "patch_size": 8, "projection_dim": 6, "attention": attention}
    return SpaceTimeClipModel(SpaceTimeClipConfig(vision_config=vision, text_config={**_TEXT, "projection_dim": 6}))


KINDS = {
    "timesformer": _timesformer,
    "vivit": _vivit,
    "videomae": _videomae,
    "vjepa2": _vjepa2,
    "videoprism": _videoprism,
    "xclip": _xclip,
    "joint": lambda: _space_time("joint"),
    "divided": lambda: _space_time("divided"),
}
DUAL = ("videoprism", "xclip", "joint", "divided")


def make_video(folder: Path, kind: str) -> Path:
    """Write a tiny video model of a kind, with random weights; with a tokenizer where it has texts."""
    from tiny_towers import write_tokenizer

    from pipelines.modeling import register_models

    register_models()
    torch.manual_seed(11)
    model = KINDS[kind]()
    for parameter in model.parameters():  # their own initialisation leaves embeddings of time at zero
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    if kind in DUAL:
        write_tokenizer(folder, ("<pad>", "<unk>", "<start>", "<end>"), 7)
    return folder
