"""Parameter groups: who has weight decay, and how much of the learning rate each layer takes."""

import re
from typing import Any

from torch import nn

from pipelines.errors import InputError

# Where a transformer's, or a convolutional network's, numbered layers are: `layers.3`, `layer.3`, `blocks.3`, ...
_LAYER = re.compile(r"\.(?:(?:\w+_)?layers?|blocks?|h|stages)\.(\d+)\.")

# `position_embedding.weight`, `positional_embedding`, `pos_embed`, `temporal_embedding`, `relative_attention_bias`, ...
_WITHOUT_DECAY = re.compile(
    r"pos(?:ition(?:al)?)?_?emb|(?:temporal|time)_?emb|relative_(?:position|attention)_bias"
    r"|(?:cls|class|dist|distillation|mask)_(?:token|embedding)"
)


def parameter_groups(
    model: nn.Module, *, lr: float, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for the optimizer of a dual encoder's parameters that train.

    Matrices have weight decay. Biases, norms and scalars (one dimension or none) don't, nor do embeddings of positions
    and times and class tokens, whatever their shape. Layer ``i`` of a tower's ``n``
    takes the learning rate times ``layer_decay ** (n - i)``, what comes before the layers, such as embeddings, times
    ``layer_decay ** (n + 1)``; what comes after them, heads and all else take it whole, as in BEiT (arXiv 2106.08254).

    Args:
        model: The dual encoder; its towers are the modules whose name ends with ``_tower``.
        lr: The highest learning rate.
        weight_decay: Weight decay of matrices.
        layer_decay: Learning rate of a layer over that of the next; 1 for the same in all.

    Returns:
        Groups with ``params``, ``weight_decay``, ``lr_scale`` and ``lr``, which is ``lr * lr_scale``; multiply a
        schedule's rate by ``lr_scale``. From the highest rate to the lowest, matrices first; the order of parameters
        is the model's.

    Raises:
        InputError: No parameter trains.
    """
    below = _layers_below(model) if layer_decay != 1.0 else {}
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            plain = parameter.ndim < 2 or _WITHOUT_DECAY.search(name) is not None
            groups.setdefault((below.get(name, 0), plain), []).append(parameter)
    if not groups:
        raise InputError("nothing trains: all parameters are frozen; give --freeze fewer patterns")
    return [
        {
            "params": groups[depth, plain],
            "weight_decay": 0.0 if plain else weight_decay,
            "lr_scale": layer_decay**depth,
            "lr": lr * layer_decay**depth,
        }
        for depth, plain in sorted(groups)
    ]


def _layers_below(model: nn.Module) -> dict[str, int]:
    """How far below a tower's end each of its parameters is: 0 after its layers, 1 in the last of them, and so on."""
    towers: dict[str, list[str]] = {}
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name, _ in model.named_parameters():
        if (tower := name.split(".")[0]).endswith("_tower"):
            towers.setdefault(tower, []).append(name)
    depths: dict[str, int] = {}
    for names in towers.values():
        layer_of, layers = _numbered_layers(names, trains)
        if not layer_of:
            continue
        first = names.index(next(iter(layer_of)))
        for place, name in enumerate(names):
            if name in layer_of:
                depths[name] = layers - layer_of[name]
            elif place < first:
                depths[name] = layers + 1
    return depths


def _numbered_layers(names: list[str], trains: set[str]) -> tuple[dict[str, int], int]:
    """The number of the layer of each parameter that is in one, and how many layers there are.

    Stacks of layers, as those of space and of time, follow each other; one of which nothing trains is no part of it.
    """
    stacks: dict[str, dict[str, int]] = {}
    for name in names:
        if found := _LAYER.search(name):
            stacks.setdefault(name[: found.start(1)], {})[name] = int(found[1])
    layer_of: dict[str, int] = {}
    layers = 0
    for stack in stacks.values():
        if trains.intersection(stack):
            layer_of |= {name: layers + number for name, number in stack.items()}
            layers += max(stack.values()) + 1
    return layer_of, layers
