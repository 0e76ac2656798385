"""The video models of AVION and LaViLa, as our space-time model names them."""

from typing import Any

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.import_model.clip_names import HEAD_SIZE, heads, require_whole_patches, text_side
from pipelines.import_model.weights import Weights, grid_side, resize_positions
from pipelines.modeling.modeling_space_time import SpaceTimeClipConfig, SpaceTimeClipModel
from pipelines.models.frames import with_frames

# The parts of a layer, by AVION's names: as its blocks have them, and where attention is flash attention's.
_AVION = {"attn.out_proj": "attention.proj", "mlp.c_fc": "mlp.0", "mlp.c_proj": "mlp.2"}
_AVION_FLASH = {
    "attn.Wqkv": "attention.qkv",
    "attn.out_proj": "attention.proj",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}
_AVION_NORMS = {"ln_1": "norm_attention", "ln_2": "norm_mlp"}
_LAVILA = {
    "norm3": "norm_time",
    "timeattn.qkv": "attention_time.qkv",
    "timeattn.proj": "attention_time.proj",
    "norm1": "norm_attention",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.proj",
    "norm2": "norm_mlp",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}


def avion_model(weights: Weights, image_size: int | None, frames: int | None) -> SpaceTimeClipModel:
    """A model with joint space-time attention, of an AVION checkpoint (arXiv 2309.16669).

    Args:
        weights: Its weights; all are taken.
        image_size: Side of the images to interpolate position embeddings for, in pixels; as it is if None.
        frames: Frames of a clip to interpolate embeddings of time for; as it is if None.

    Raises:
        InputError: They are those of another kind of model.
    """
    blocks = "visual.transformer.resblocks"
    flash = f"{blocks}.0.attn.Wqkv.weight" in weights
    hidden = weights.shape(f"{blocks}.0.mlp.{'fc1' if flash else 'c_fc'}.bias")[0]
    state: dict[str, Tensor] = {}
    layers = weights.layers(blocks)
    for layer in range(layers):
        before, after = f"{blocks}.{layer}", f"layers.{layer}"
        for old, new in {**_AVION_NORMS, **(_AVION_FLASH if flash else _AVION)}.items():
            state |= weights.linear(f"{before}.{old}", f"{after}.{new}")
        if not flash:
            for part in ("weight", "bias"):
                state[f"{after}.attention.qkv.{part}"] = weights.take(f"{before}.attn.in_proj_{part}")
    patches = weights.take("visual.conv1.weight")
    if patches.ndim == 2:  # a linear layer over a patch's channels, rows and columns
        side = grid_side(1 + patches.shape[1] // 3)
        patches = patches.reshape(-1, 3, side, side)
    state |= {
        "embeddings.class_embedding": weights.take("visual.class_embedding").reshape(1, 1, -1),
        "embeddings.temporal_embedding": weights.take("visual.temporal_embedding")[None],
        "embeddings.patch_embedding.weight": patches,
        **weights.linear("visual.ln_pre", "pre_norm"),
        **weights.linear("visual.ln_post", "post_norm"),
        "visual_projection.weight": weights.take("visual.image_projection").T,
    }
    positions = weights.take("visual.positional_embedding")
    text = text_side(weights, "textual.", "gelu")
    vision = {
        "attention": "joint",
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "pre_norm_eps": 1e-6,
        "num_hidden_layers": layers,
        "intermediate_size": hidden,
    }
    return _model(weights, vision, state, positions, text, image_size, frames)


def lavila_model(weights: Weights, image_size: int | None, frames: int | None) -> SpaceTimeClipModel:
    """A model with divided space-time attention, of a LaViLa checkpoint (arXiv 2212.04501) that began as CLIP.

    Args:
        weights: Its weights; all are taken.
        image_size: Side of the images to interpolate position embeddings for, in pixels; as it is if None.
        frames: Frames of a clip to interpolate embeddings of time for; as it is if None.

    Raises:
        InputError: They are those of another kind of model.
    """
    layers = weights.layers("visual.blocks")
    hidden = weights.shape("visual.blocks.0.mlp.fc1.bias")[0]
    state: dict[str, Tensor] = {}
    for layer in range(layers):
        for old, new in _LAVILA.items():
            state |= weights.linear(f"visual.blocks.{layer}.{old}", f"layers.{layer}.{new}")
    state |= {
        "embeddings.class_embedding": weights.take("visual.cls_token"),
        "embeddings.temporal_embedding": weights.take("visual.temporal_embed"),
        "embeddings.patch_embedding.weight": weights.take("visual.patch_embed.proj.weight"),
        **weights.linear("visual.ln_pre", "pre_norm"),
        **weights.linear("visual.norm", "post_norm"),
        "visual_projection.weight": weights.take("image_projection").T,
    }
    positions = weights.take("visual.pos_embed")[0]
    text = text_side(weights, "", "quick_gelu")
    vision = {
        "attention": "divided",
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-6,
        "pre_norm_eps": 1e-5,
        "num_hidden_layers": layers,
        "intermediate_size": hidden,
    }
    return _model(weights, vision, state, positions, text, image_size, frames)


def _model(
    weights: Weights,
    vision: dict[str, Any],
    state: dict[str, Tensor],
    positions: Tensor,
    text: tuple[dict[str, Any], dict[str, Tensor]],
    image_size: int | None,
    frames: int | None,
) -> SpaceTimeClipModel:
    """Put both sides together; what is the same in both kinds of checkpoint is read here."""
    width, _, patch, _ = state["embeddings.patch_embedding.weight"].shape
    image_size = image_size or grid_side(len(positions)) * patch
    require_whole_patches(image_size, patch)
    state["embeddings.position_embedding"] = resize_positions(positions, image_size // patch)[None]
    vision |= {
        "num_frames": state["embeddings.temporal_embedding"].shape[1],
        "image_size": image_size,
        "patch_size": patch,
        "hidden_size": width,
        "num_attention_heads": heads(width, HEAD_SIZE),
        "projection_dim": len(state["visual_projection.weight"]),
    }
    scale = weights.take("logit_scale").reshape(())
    weights.require_all_taken()
    if vision["projection_dim"] != text[0]["projection_dim"]:
        raise InputError(f"projects clips to {vision['projection_dim']} and texts to {text[0]['projection_dim']}")
    model = SpaceTimeClipModel(SpaceTimeClipConfig(vision_config=vision, text_config=text[0]))
    weights.load(model.vision, state)
    weights.load(model.text, text[1])
    with torch.no_grad():
        model.logit_scale.copy_(scale)
    if frames is not None:
        model.vision = with_frames(model.vision, frames)
        model.config.vision_config = model.vision.config
    model.eval()
    return model
