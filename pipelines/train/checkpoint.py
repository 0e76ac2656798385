"""Checkpoints: safetensors, with what isn't a tensor as JSON in the header; nothing is pickled."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipelines.artifacts.files import replacing

_STATE = "state"  # one entry, since safetensors writes several in no fixed order


def save_checkpoint(path: Path, model: nn.Module, strategy: nn.Module, progress: dict[str, Any]) -> None:
    """Write the weights of a model and the state of its temperature strategy, whole or not at all.

    Args:
        path: The .safetensors file.
        model: The dual encoder.
        strategy: The temperature strategy; per-sample state is keyed by sample id.
        progress: Numbers that say where the run is.
    """
    tensors: dict[str, Tensor] = {}
    extra: dict[str, Any] = {}
    for owner, module in (("model", model), ("strategy", strategy)):
        for name, value in module.state_dict().items():
            if isinstance(value, Tensor):
                tensors[f"{owner}.{name}"] = value.detach().cpu().contiguous()
            else:
                extra[f"{owner}.{name}"] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={_STATE: json.dumps({"extra": extra, "progress": progress})})


def load_checkpoint(path: Path, model: nn.Module, strategy: nn.Module) -> dict[str, Any]:
    """Load what ``save_checkpoint`` wrote; returns ``progress``."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[_STATE])
        state: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    state.update(header["extra"])
    for owner, module in (("model", model), ("strategy", strategy)):
        prefix = f"{owner}."
        module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    progress: dict[str, Any] = header["progress"]
    return progress
