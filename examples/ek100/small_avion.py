"""AVION's model in small, with random weights under the names that AVION's code gives them, and a vocabulary for it."""

import gzip
from pathlib import Path

import torch
from torch import Tensor

WIDTH, PATCH, IMAGE, LAYERS, SPACE = 128, 4, 8, 2, 6
VOCABULARY, LENGTH, FRAMES = 600, 9, 4
PLACES = (IMAGE // PATCH) ** 2
MERGES = ["t h", "th e</w>", "d o", "do g</w>"]

State = dict[str, Tensor]


class Names:
    """Draws weights at which no layer is idle, and what norms see is so small that their epsilons count."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.state: State = {}

    def draw(self, name: str, *shape: int, scale: float = 0.003) -> None:
        """Add a weight."""
        self.state[name] = scale * torch.randn(shape, generator=self.generator)

    def linear(self, name: str, outputs: int, inputs: int) -> None:
        """Add the weight and the bias of a linear layer."""
        self.draw(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        self.draw(f"{name}.bias", outputs, scale=0.1)

    def norm(self, name: str, scale: float = 0.5) -> None:
        """Add the weight and the bias of a layer norm."""
        self.draw(f"{name}.weight", WIDTH, scale=scale)
        self.draw(f"{name}.bias", WIDTH, scale=scale / 5)


def blocks(names: Names, prefix: str, *, flash: bool = False) -> None:
    """Add the layers of a transformer, under the names of CLIP or those of flash attention."""
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


def text(names: Names, prefix: str) -> None:
    """Add a text side."""
    names.draw(f"{prefix}token_embedding.weight", VOCABULARY, WIDTH)
    names.draw(f"{prefix}positional_embedding", LENGTH, WIDTH)
    blocks(names, f"{prefix}transformer.resblocks")
    names.norm(f"{prefix}ln_final")
    names.draw(f"{prefix}text_projection", WIDTH, SPACE, scale=0.1)


def avion_state(frames: int, *, fast: bool = False) -> State:
    """As AVION names its model; ``fast`` with its linear patches and flash attention."""
    names = Names(2)
    names.draw("visual.conv1.weight", WIDTH, *((3 * PATCH**2,) if fast else (3, PATCH, PATCH)))
    names.draw("visual.class_embedding", WIDTH)
    names.draw("visual.positional_embedding", 1 + PLACES, WIDTH)
    names.draw("visual.temporal_embedding", frames, WIDTH)
    names.norm("visual.ln_pre", scale=0.01)
    blocks(names, "visual.transformer.resblocks", flash=fast)
    names.norm("visual.ln_post")
    names.draw("visual.image_projection", WIDTH, SPACE, scale=0.1)
    text(names, "textual.")
    names.state["logit_scale"] = torch.tensor(3.0)
    return names.state


def write_vocabulary(folder: Path) -> Path:
    """CLIP's vocabulary file, with the merges of two words."""
    path = folder / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(gzip.compress(("\n".join(['"bpe" version', *MERGES]) + "\n").encode()))
    return path


def write_checkpoint(folder: Path) -> Path:
    """A checkpoint as AVION's training writes it, with weights for clips of 4 frames."""
    path = folder / "avion.pt"
    torch.save({"state_dict": avion_state(FRAMES)}, path)
    return path
