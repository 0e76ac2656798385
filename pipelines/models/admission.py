"""What a model's folder may hold, checked before a library reads it: no pickles, no code, nothing of absurd size."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

TRUST_FLAG = "--trust-remote-code runs it, if you trust its author"

_DEPTHS = (
    "",
    "*/",
    "*/*/",
    "*/*/*/",
)  # modules of sentence-transformers lie below the folder, those of a router deeper
_PICKLES = "pytorch_model*.bin"
# Counts of which libraries build one module, or one dictionary entry, each; the largest models have a few hundred.
_COUNT = re.compile(r"(^|_)(layers?|depths?|blocks|stages|experts|hidden_layers)$|^n_layer$|^num_labels$")
_MOST_LAYERS, _MOST_LABELS = 2_000, 1_000_000
# Values of these with a slash name a kernel on the hub, which is code.
_KERNELS = re.compile(r"(attn|experts)_implementation$")


def require_admissible(folder: Path, *, trust_remote_code: bool) -> None:
    """Check a model's folder before it is loaded.

    Args:
        folder: The folder of a transformers or sentence-transformers model.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: It holds no model; weights as a pickle, which may hold code; an adapter, whose base is elsewhere;
            refers to code of its own that isn't trusted; or has a configuration of absurd size.
    """
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise InputError("holds no model; neither config.json nor modules.json is there")
    for pickle in _below(folder, _PICKLES):
        if not any(pickle.parent.glob("*.safetensors")):
            raise InputError(
                f"{pickle.relative_to(folder)} is a pickle, which may run code; convert it: torch.load(..., "
                "weights_only=True), then safetensors.torch.save_file to model.safetensors"
            )
    for adapter in _below(folder, "adapter_config.json"):
        raise InputError(
            f"{adapter.relative_to(folder)} says it is an adapter; merge it into its base model, save that"
        )
    if not trust_remote_code:
        _require_known_modules(folder)
    for path in _below(folder, "*config.json"):
        _require_modest(read_json(path), path.relative_to(folder), trust_remote_code=trust_remote_code)


def require_memory(build: Callable[[], nn.Module]) -> None:
    """Check that the weights of a model fit this machine's memory in float32, before it is built.

    Args:
        build: Builds the model; it is called on torch's device ``meta``, which allocates nothing.

    Raises:
        InputError: They don't.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in build().parameters())
    except Exception:  # whatever is wrong with it, building it in earnest says so
        return
    require_room(parameters)


def require_room(parameters: int) -> None:
    """Check that so many float32 weights fit this machine's memory.

    Raises:
        InputError: They don't.
    """
    if not hasattr(os, "sysconf"):  # Windows
        return
    needed, memory = 4 * parameters, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InputError(
            f"has {parameters:.3g} parameters, which take {needed / 2**30:,.0f} GiB; this machine has "
            f"{memory / 2**30:,.0f} GiB of memory"
        )


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    return chain.from_iterable(folder.glob(depth + pattern) for depth in _DEPTHS)


def _require_known_modules(folder: Path) -> None:
    """Check that the modules of a sentence-transformers model are that library's own."""
    listed = [read_json(path) for path in _below(folder, "modules.json")]
    names = [each.get("type") for modules in listed for each in modules]
    names += [name for path in _below(folder, "router_config.json") for name in read_json(path)["types"].values()]
    for name in names:
        if not str(name).startswith("sentence_transformers."):
            raise InputError(f"needs code of its own, {str(name)[:60]}, which is not run; {TRUST_FLAG}")


def _require_modest(value: Any, path: Path, *, trust_remote_code: bool, key: str = "") -> None:
    """Check every number and name in a configuration, however deep."""
    if isinstance(value, dict):
        for name, each in value.items():
            _require_modest(each, path, trust_remote_code=trust_remote_code, key=str(name))
    elif isinstance(value, list):
        for each in value:
            _require_modest(each, path, trust_remote_code=trust_remote_code, key=key)
    elif isinstance(value, int | float) and _COUNT.search(key):
        most = _MOST_LABELS if key == "num_labels" else _MOST_LAYERS
        if not value <= most or (value < 0 and key.startswith(("n", "depth"))):  # where counted from the end it may be
            raise InputError(f"{path} sets {key} to {value:.3g}; mmts takes 0 to {most:,}")
    elif isinstance(value, str) and "/" in value and _KERNELS.search(key) and not trust_remote_code:
        raise InputError(f"{path} names the code {value[:60]}, which is not run; {TRUST_FLAG}")
