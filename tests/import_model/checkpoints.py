"""Small checkpoints with random weights, under the names that their own code gives them; AVION's is the example's."""

from pathlib import Path
from typing import Any

import torch
from small_avion import IMAGE, LAYERS, PATCH, PLACES, SPACE, WIDTH, Names, State, blocks, text
from torch import nn


def clip_state() -> State:
    """As OpenAI's code and open_clip name a CLIP."""
    names = Names(1)
    names.draw("visual.conv1.weight", WIDTH, 3, PATCH, PATCH)
    names.draw("visual.class_embedding", WIDTH)
    names.draw("visual.positional_embedding", 1 + PLACES, WIDTH)
    names.norm("visual.ln_pre", scale=0.01)
    blocks(names, "visual.transformer.resblocks")
    names.norm("visual.ln_post")
    names.draw("visual.proj", WIDTH, SPACE, scale=0.1)
    text(names, "")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def lavila_state(frames: int) -> State:
    """As LaViLa names its model."""
    names = Names(3)
    names.draw("visual.cls_token", 1, 1, WIDTH)
    names.draw("visual.pos_embed", 1, 1 + PLACES, WIDTH)
    names.draw("visual.temporal_embed", 1, frames, WIDTH)
    names.draw("visual.patch_embed.proj.weight", WIDTH, 3, PATCH, PATCH)
    names.norm("visual.ln_pre", scale=0.01)
    for layer in range(LAYERS):
        name = f"visual.blocks.{layer}"
        for norm in ("norm1", "norm2", "norm3"):
            names.norm(f"{name}.{norm}")
        for attention in ("attn", "timeattn"):
            names.linear(f"{name}.{attention}.qkv", 3 * WIDTH, WIDTH)
            names.linear(f"{name}.{attention}.proj", WIDTH, WIDTH)
        names.linear(f"{name}.mlp.fc1", 2 * WIDTH, WIDTH)
        names.linear(f"{name}.mlp.fc2", WIDTH, 2 * WIDTH)
    names.norm("visual.norm")
    names.draw("image_projection", WIDTH, SPACE, scale=0.1)
    text(names, "")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def save(tmp_path: Path, checkpoint: object) -> None:
    """Write a checkpoint as ``weights.pt``."""
    torch.save(checkpoint, tmp_path / "weights.pt")


class Holder(nn.Module):
    """A module that only holds others, and tensors."""

    def forward(self) -> int:
        return 0


def scripted(state: State) -> torch.jit.ScriptModule:
    """The archive of a model with these weights, as OpenAI publishes its own."""
    root = Holder()
    for name, value in state.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, Holder())
            module = getattr(module, part)
        module.register_parameter(last, nn.Parameter(value))
    for name, value in (("input_resolution", IMAGE), ("context_length", 9), ("vocab_size", 600)):
        root.register_buffer(name, torch.tensor(value))
    block: Any = root.get_submodule("transformer.resblocks.0")
    block.attn_mask = torch.zeros(9, 9)
    block.sizes = [1, 2, 3]
    return torch.jit.script(root)
