"""Small checkpoints with random weights, under the names that their own code gives them."""

import gzip
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

WIDTH, PATCH, IMAGE, LAYERS, SPACE = 128, 4, 8, 2, 6
VOCABULARY, LENGTH = 600, 9
PLACES = (IMAGE // PATCH) ** 2
MERGES = ["t h", "th e</w>", "d o", "do g</w>"]

State = dict[str, Tensor]


class _Names:
    """Draws weights at which no layer is idle, and what norms see is so small that their epsilons count."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.state: State = {}

    def draw(self, name: str, *shape: int, scale: float = 0.003) -> None:
        self.state[name] = scale * torch.randn(shape, generator=self.generator)

    def linear(self, name: str, outputs: int, inputs: int) -> None:
        self.draw(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        self.draw(f"{name}.bias", outputs, scale=0.1)

    def norm(self, name: str, scale: float = 0.5) -> None:
        self.draw(f"{name}.weight", WIDTH, scale=scale)
        self.draw(f"{name}.bias", WIDTH, scale=scale / 5)


def _blocks(names: _Names, prefix: str, *, flash: bool = False) -> None:
    for layer in range(LAYERS):
        name = f"{prefix}.{layer}"
        names.norm(f"{name}.ln_1")
        if flash:
            names.linear(f"{name}.attn.Wqkv", 3 * WIDTH, WIDTH)
        else:
            names.draw(f"{name}.attn.in_proj_weight", 3 * WIDTH, WIDTH, scale=WIDTH**-0.5)
            names.draw(f"{name}.attn.in_proj_bias", 3 * WIDTH, scale=0.1)
        names.linear(f"{name}.attn.out_proj", WIDTH, WIDTH)
        names.norm(f"{name}.ln_2")
        inner, outer = ("fc1", "fc2") if flash else ("c_fc", "c_proj")
        names.linear(f"{name}.mlp.{inner}", 2 * WIDTH, WIDTH)
        names.linear(f"{name}.mlp.{outer}", WIDTH, 2 * WIDTH)


def _text(names: _Names, prefix: str) -> None:
    names.draw(f"{prefix}token_embedding.weight", VOCABULARY, WIDTH)
    names.draw(f"{prefix}positional_embedding", LENGTH, WIDTH)
    _blocks(names, f"{prefix}transformer.resblocks")
    names.norm(f"{prefix}ln_final")
    names.draw(f"{prefix}text_projection", WIDTH, SPACE, scale=0.1)


def clip_state() -> State:
    """As OpenAI's code and open_clip name a CLIP."""
    names = _Names(1)
    names.draw("visual.conv1.weight", WIDTH, 3, PATCH, PATCH)
    names.draw("visual.class_embedding", WIDTH)
    names.draw("visual.positional_embedding", 1 + PLACES, WIDTH)
    names.norm("visual.ln_pre", scale=0.01)
    _blocks(names, "visual.transformer.resblocks")
    names.norm("visual.ln_post")
    names.draw("visual.proj", WIDTH, SPACE, scale=0.1)
    _text(names, "")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def avion_state(frames: int, *, fast: bool = False) -> State:
    """As AVION names its model; ``fast`` with its linear patches and flash attention."""
    names = _Names(2)
    names.draw("visual.conv1.weight", WIDTH, *((3 * PATCH**2,) if fast else (3, PATCH, PATCH)))
    names.draw("visual.class_embedding", WIDTH)
    names.draw("visual.positional_embedding", 1 + PLACES, WIDTH)
    names.draw("visual.temporal_embedding", frames, WIDTH)
    names.norm("visual.ln_pre", scale=0.01)
    _blocks(names, "visual.transformer.resblocks", flash=fast)
    names.norm("visual.ln_post")
    names.draw("visual.image_projection", WIDTH, SPACE, scale=0.1)
    _text(names, "textual.")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def lavila_state(frames: int) -> State:
    """As LaViLa names its model."""
    names = _Names(3)
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
    _text(names, "")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def write_vocabulary(folder: Path) -> Path:
    """CLIP's vocabulary file, with the merges of two words."""
    path = folder / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(gzip.compress(("\n".join(['"bpe" version', *MERGES]) + "\n").encode()))
    return path


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
