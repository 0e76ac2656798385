"""Which parameters train: frozen by name, or because nothing flows through them."""

import difflib
import fnmatch
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pipelines.errors import InputError


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze the parameters whose name, or whose module's name, fits one of the patterns.

    Modules of which every parameter is frozen run as in evaluation from then on: see ``DualEncoder.train``.

    Args:
        model: The model.
        patterns: As in ``fnmatch``, such as ``media_tower.*`` or ``text_tower.*.layer.[0-5].*``.

    Raises:
        InputError: A pattern fits nothing; names the nearest modules.
    """
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        found = [
            parameter
            for name, parameter in parameters.items()
            if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*")
        ]
        if not found:
            raise InputError(f"--freeze {pattern}: no parameter has such a name{_nearest(pattern, list(parameters))}")
        for parameter in found:
            parameter.requires_grad_(False)


def is_frozen(module: nn.Module) -> bool:
    """Whether a module has parameters, and none that trains."""
    trains = [parameter.requires_grad for parameter in module.parameters()]
    return bool(trains) and not any(trains)


def freeze_unused(tower: Any) -> None:
    """Freeze the parameters of a tower that its vectors don't depend on, found with one backward pass.

    Transformers models have such ones, a pooler or a mask token; distributed training waits for their gradients.
    """
    if is_frozen(tower):
        return
    training = tower.training
    tower.eval()
    with torch.enable_grad():
        tower(tower.example()).sum().backward()
    tower.train(training)
    for parameter in tower.parameters():
        if parameter.grad is None:
            parameter.requires_grad_(False)
        parameter.grad = None


def _nearest(pattern: str, names: list[str]) -> str:
    modules = dict.fromkeys(
        name for each in names for name in (".".join(each.split(".")[:depth]) for depth in range(1, 8)) if name
    )
    close = difflib.get_close_matches(pattern.rstrip(".*"), modules, n=3, cutoff=0.3)
    return f"; the nearest modules are {', '.join(close or list(modules)[:3])}"
