"""CLIP as OpenAI's code and open_clip name it, as transformers names it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.import_model.weights import Weights, grid_side, resize_positions

HEAD_SIZE = 64
# transformers reads a text at its highest token id where the end token is given as 2: as all of these models do.
_READ_AT_HIGHEST = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0}
_LAYER_PARTS = {
    "ln_1": "layer_norm1",
    "attn.out_proj": "self_attn.out_proj",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
# What open_clip's configurations may say of a side; whatever else they say makes another kind of model.
_KNOWN_VISION = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio"}
_KNOWN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "hf_tokenizer_name", "tokenizer_kwargs"}


@dataclass(frozen=True)
class Architecture:
    """What the weights of a CLIP don't tell.

    Attributes:
        activation: As transformers names it.
        vision_head_size: Size of an attention head of the vision side.
        text_head_size: Size of an attention head of the text side.
    """

    activation: str
    vision_head_size: int = HEAD_SIZE
    text_head_size: int = HEAD_SIZE


def open_clip_architecture(config: dict[str, Any]) -> Architecture:
    """What an ``open_clip_config.json`` tells.

    Raises:
        InputError: It describes a model that transformers' CLIP is not.
    """
    model = config.get("model_cfg", config)
    vision, text = model["vision_cfg"], model["text_cfg"]
    for side, known, name in ((vision, _KNOWN_VISION, "vision_cfg"), (text, _KNOWN_TEXT, "text_cfg")):
        if unknown := sorted(set(side) - known):
            raise InputError(f"{name} has {unknown[0]}, which transformers' CLIP has not")
    return Architecture(
        "quick_gelu" if model.get("quick_gelu") else "gelu",
        vision.get("head_width", HEAD_SIZE),
        text["width"] // text["heads"],
    )


def clip_model(weights: Weights, architecture: Architecture, image_size: int | None) -> Any:
    """A ``CLIPModel`` of the weights.

    Args:
        weights: Those of an OpenAI or open_clip checkpoint; all are taken.
        architecture: What they don't tell.
        image_size: Side of the images to interpolate position embeddings for, in pixels; as it is if None.

    Raises:
        InputError: They are those of another kind of model.
    """
    from transformers import CLIPConfig, CLIPModel

    if "visual.layer1.0.conv1.weight" in weights:
        raise InputError("has a ResNet for a vision side, of which transformers has no class; take a ViT")
    text, state = text_side(weights, "", architecture.activation, architecture.text_head_size)
    positions = weights.take("visual.positional_embedding")
    width, _, patch, _ = weights.shape("visual.conv1.weight")
    image_size = image_size or grid_side(len(positions)) * patch
    require_whole_patches(image_size, patch)
    vision = {
        "image_size": image_size,
        "patch_size": patch,
        "hidden_size": width,
        "intermediate_size": weights.shape("visual.transformer.resblocks.0.mlp.c_fc.bias")[0],
        "num_hidden_layers": weights.layers("visual.transformer.resblocks"),
        "num_attention_heads": heads(width, architecture.vision_head_size),
        "hidden_act": architecture.activation,
    }
    state |= {
        "vision_model.embeddings.class_embedding": weights.take("visual.class_embedding"),
        "vision_model.embeddings.patch_embedding.weight": weights.take("visual.conv1.weight"),
        "vision_model.embeddings.position_embedding.weight": resize_positions(positions, image_size // patch),
        **weights.linear("visual.ln_pre", "vision_model.pre_layrnorm"),
        **_layers(weights, "visual.transformer.resblocks", "vision_model.encoder.layers"),
        **weights.linear("visual.ln_post", "vision_model.post_layernorm"),
        "visual_projection.weight": weights.take("visual.proj").T,
        "logit_scale": weights.take("logit_scale").reshape(()),
    }
    weights.drop("input_resolution", "context_length", "vocab_size")  # buffers of OpenAI's archives
    weights.require_all_taken()
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=text["projection_dim"]))
    weights.load(model, state)
    return model.eval()


def text_side(
    weights: Weights, prefix: str, activation: str, head_size: int = HEAD_SIZE
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights of a ``CLIPTextModelWithProjection``, of those below a prefix, which are taken.

    Raises:
        InputError: One is missing.
    """
    vocabulary, width = weights.shape(f"{prefix}token_embedding.weight")
    blocks = f"{prefix}transformer.resblocks"
    config = {
        "vocab_size": vocabulary,
        "max_position_embeddings": weights.shape(f"{prefix}positional_embedding")[0],
        "hidden_size": width,
        "intermediate_size": weights.shape(f"{blocks}.0.mlp.c_fc.bias")[0],
        "num_hidden_layers": weights.layers(blocks),
        "num_attention_heads": heads(width, head_size),
        "hidden_act": activation,
        "projection_dim": weights.shape(f"{prefix}text_projection")[1],
        **_READ_AT_HIGHEST,
    }
    state = {
        "text_model.embeddings.token_embedding.weight": weights.take(f"{prefix}token_embedding.weight"),
        "text_model.embeddings.position_embedding.weight": weights.take(f"{prefix}positional_embedding"),
        **_layers(weights, blocks, "text_model.encoder.layers"),
        **weights.linear(f"{prefix}ln_final", "text_model.final_layer_norm"),
        "text_projection.weight": weights.take(f"{prefix}text_projection").T,
    }
    weights.drop("attn_mask")
    return config, state


def heads(width: int, head_size: int) -> int:
    """How many attention heads of a size there are.

    Raises:
        InputError: No whole number.
    """
    if width % head_size:
        raise InputError(f"has tokens of {width} dimensions, which make no heads of {head_size}")
    return width // head_size


def require_whole_patches(image_size: int, patch: int) -> None:
    """Check that images divide into patches.

    Raises:
        InputError: They don't.
    """
    if image_size % patch:
        raise InputError(f"--image-size {image_size}: patches have {patch} pixels a side; give a multiple of that")


def _layers(weights: Weights, old: str, new: str) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for layer in range(weights.layers(old)):
        before, after = f"{old}.{layer}", f"{new}.{layer}"
        for part in ("weight", "bias"):
            thirds = torch.chunk(weights.take(f"{before}.attn.in_proj_{part}"), 3)
            for name, third in zip(("q_proj", "k_proj", "v_proj"), thirds, strict=True):
                state[f"{after}.self_attn.{name}.{part}"] = third
        for name, there in _LAYER_PARTS.items():
            state |= weights.linear(f"{before}.{name}", f"{after}.{there}")
    return state
