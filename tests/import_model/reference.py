"""The models of the field's checkpoints in plain tensor algebra, an example at a time, in float64.

Written from their descriptions, under the names of their checkpoints; nothing of the models that are tested is used.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

State = dict[str, Tensor]
HEAD = 64


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def quick_gelu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-1.702 * x))


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]


def affine(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One query ``[d]`` over ``[t, d]``, each head on its 64 dimensions."""
    out = []
    for head in range(len(query) // HEAD):
        part = slice(head * HEAD, (head + 1) * HEAD)
        weights = torch.softmax(keys[:, part] @ query[part] / math.sqrt(HEAD), dim=0)
        out.append(weights @ values[:, part])
    return torch.cat(out)


def attention(
    x: Tensor, weight: Tensor, bias: Tensor, seen_by: Callable[[int], list[int]], out: tuple[Tensor, Tensor]
) -> Tensor:
    """Attention in which token ``i`` sees the tokens ``seen_by(i)``."""
    query, key, value = (x @ weight.T + bias).chunk(3, dim=-1)
    mixed = torch.stack([attend(query[i], key[seen_by(i)], value[seen_by(i)]) for i in range(len(x))])
    return mixed @ out[0].T + out[1]


def clip_block(state: State, name: str, x: Tensor, eps: float, activation: Callable, seen_by: Callable) -> Tensor:
    """A layer of CLIP, under OpenAI's names, or those that flash attention has."""
    flash = f"{name}.attn.Wqkv.weight" in state
    weight, bias = (state[f"{name}.attn.{'Wqkv.' if flash else 'in_proj_'}{part}"] for part in ("weight", "bias"))
    out = state[f"{name}.attn.out_proj.weight"], state[f"{name}.attn.out_proj.bias"]
    x = x + attention(norm(state, f"{name}.ln_1", x, eps), weight, bias, seen_by, out)
    inner, outer = ("mlp.fc1", "mlp.fc2") if flash else ("mlp.c_fc", "mlp.c_proj")
    hidden = activation(affine(state, f"{name}.{inner}", norm(state, f"{name}.ln_2", x, eps)))
    return x + affine(state, f"{name}.{outer}", hidden)


def patch_tokens(pixels_fchw: Tensor, weight: Tensor, position: Tensor, temporal: Tensor | None) -> list[Tensor]:
    """The tokens of a clip, frame by frame, row by row: each a linear layer of its patch, with where and when it is."""
    weight = weight.flatten(1)
    size = round(math.sqrt(weight.shape[1] / 3))
    grid = pixels_fchw.shape[-1] // size
    tokens = []
    for frame in range(len(pixels_fchw)):
        for row in range(grid):
            for column in range(grid):
                window = pixels_fchw[frame, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
                token = weight @ window.flatten() + position[1 + row * grid + column]
                tokens.append(token if temporal is None else token + temporal[frame])
    return tokens


def clip_vision(state: State, pixels_fchw: Tensor, *, eps: float, activation: Callable, projection: str) -> Tensor:
    """The vector of a clip by a CLIP that sees all its frames at once, or of an image, a clip of one frame."""
    position = state["visual.positional_embedding"]
    temporal = state.get("visual.temporal_embedding")
    tokens = patch_tokens(pixels_fchw, state["visual.conv1.weight"], position, temporal)
    x = torch.stack([state["visual.class_embedding"] + position[0], *tokens])
    x = norm(state, "visual.ln_pre", x, eps)
    everything = list(range(len(x)))
    for layer in range(blocks(state, "visual.transformer.resblocks")):
        x = clip_block(state, f"visual.transformer.resblocks.{layer}", x, eps, activation, lambda _: everything)
    return norm(state, "visual.ln_post", x[0], eps) @ state[projection]


def lavila_vision(state: State, pixels_fchw: Tensor) -> Tensor:
    """The vector of a clip by LaViLa's divided attention, that of Frozen in Time."""
    position, temporal = state["visual.pos_embed"][0], state["visual.temporal_embed"][0]
    tokens = patch_tokens(pixels_fchw, state["visual.patch_embed.proj.weight"], position, temporal)
    x = norm(state, "visual.ln_pre", torch.stack([state["visual.cls_token"][0, 0] + position[0], *tokens]), 1e-5)
    frames, places = len(pixels_fchw), len(position) - 1

    def over_time(token: int) -> list[int]:
        if token == 0:
            return list(range(len(x)))
        return [0, *(1 + frame * places + (token - 1) % places for frame in range(frames))]

    def over_space(token: int) -> list[int]:
        if token == 0:
            return list(range(len(x)))
        first = 1 + (token - 1) // places * places
        return [0, *range(first, first + places)]

    def attended(name: str, x: Tensor, seen_by: Callable) -> Tensor:
        out = state[f"{name}.proj.weight"], state[f"{name}.proj.bias"]
        return attention(x, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"], seen_by, out)

    for layer in range(blocks(state, "visual.blocks")):
        name = f"visual.blocks.{layer}"
        seen = x + attended(f"{name}.timeattn", norm(state, f"{name}.norm3", x, 1e-6), over_time)
        x = x + attended(f"{name}.attn", norm(state, f"{name}.norm1", seen, 1e-6), over_space)
        hidden = quick_gelu(affine(state, f"{name}.mlp.fc1", norm(state, f"{name}.norm2", x, 1e-6)))
        x = x + affine(state, f"{name}.mlp.fc2", hidden)
    return norm(state, "visual.norm", x[0], 1e-6) @ state["image_projection"]


def clip_text(state: State, ids: list[int], prefix: str, activation: Callable) -> Tensor:
    """The vector of a text: at its highest token id, each token seeing those before it."""
    x = state[f"{prefix}token_embedding.weight"][ids] + state[f"{prefix}positional_embedding"][: len(ids)]
    for layer in range(blocks(state, f"{prefix}transformer.resblocks")):
        name = f"{prefix}transformer.resblocks.{layer}"
        x = clip_block(state, name, x, 1e-5, activation, lambda token: list(range(token + 1)))
    return norm(state, f"{prefix}ln_final", x[ids.index(max(ids))], 1e-5) @ state[f"{prefix}text_projection"]


def blocks(state: State, prefix: str) -> int:
    return 1 + max(int(name.removeprefix(f"{prefix}.").split(".")[0]) for name in state if name.startswith(prefix))


def over_time(table_fd: Tensor, frames: int) -> Tensor:
    """Embeddings of time, linearly between the middles of equal parts of a clip."""
    found = []
    for frame in range(frames):
        instant = min(max((frame + 0.5) * len(table_fd) / frames - 0.5, 0), len(table_fd) - 1)
        below = math.floor(instant)
        above = min(below + 1, len(table_fd) - 1)
        found.append(table_fd[below] + (instant - below) * (table_fd[above] - table_fd[below]))
    return torch.stack(found)


def over_space(table_td: Tensor, side: int) -> Tensor:
    """Position embeddings for another grid, each dimension scaled by Pillow as a picture."""
    old = math.isqrt(len(table_td) - 1)
    scaled = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)).flatten()
        for plane in table_td[1:].T.reshape(-1, old, old).numpy()
    ]
    return torch.cat([table_td[:1], torch.from_numpy(np.stack(scaled).T).double()])
