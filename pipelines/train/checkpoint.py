"""Checkpoints: safetensors, with what isn't a tensor as JSON in the header; nothing is pickled."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipelines.artifacts.files import replacing, require_file
from pipelines.errors import InputError

_STATE = "state"  # one entry, since safetensors writes several in no fixed order


@dataclass(frozen=True)
class Checkpoint:
    """What a file of a run's state holds.

    Attributes:
        tensors: Weights (``model.*``, ``strategy.*``) and, where a run can go on from here, the optimizer's state
            (``optimizer.*``) and the states of the random number generators (``random.*``), on the CPU.
        extra: What else there is to know, as JSON can say it.
    """

    tensors: dict[str, Tensor]
    extra: dict[str, Any] = field(default_factory=dict)

    def part(self, owner: str) -> dict[str, Tensor]:
        """The tensors of ``owner.*``, by the rest of their names."""
        return {name.removeprefix(f"{owner}."): value for name, value in self.tensors.items() if _of(owner, name)}

    def only(self, *owners: str) -> "Checkpoint":
        """This checkpoint with the tensors of some owners alone."""
        kept = {name: value for name, value in self.tensors.items() if any(_of(owner, name) for owner in owners)}
        return Checkpoint(kept, self.extra)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all, with a digest of what it holds."""
    tensors = _unshared(checkpoint.tensors)
    state = {**checkpoint.extra, "digest": _digest(Checkpoint(tensors, checkpoint.extra))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={_STATE: json.dumps(state, allow_nan=False)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what ``write_checkpoint`` wrote.

    Raises:
        InputError: The file is missing, cut short, of another kind, or its tensors are not those that were written.
    """
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            extra = json.loads(file.metadata()[_STATE])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        digest = extra.pop("digest")
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: damaged, or not a checkpoint of mmts ({reason})") from error
    checkpoint = Checkpoint(tensors, extra)
    if digest != _digest(checkpoint):
        raise InputError(f"{path}: damaged (it holds something else than was written)")
    return checkpoint


def read_extra(path: Path) -> dict[str, Any]:
    """What a checkpoint says beside its tensors, which are not read.

    Raises:
        InputError: The file is missing or damaged.
    """
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            extra: dict[str, Any] = json.loads(file.metadata()[_STATE])
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{path}: damaged, or not a checkpoint of mmts") from error
    return extra


def _of(owner: str, name: str) -> bool:
    return name.startswith(f"{owner}.")


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that share no memory (tied weights do), as safetensors wants them."""
    seen: set[int] = set()
    result = {}
    for name, value in tensors.items():
        contiguous = value.detach().cpu().contiguous()
        place = contiguous.untyped_storage().data_ptr()
        result[name] = contiguous.clone() if place in seen else contiguous
        seen.add(place)
    return result


def _digest(checkpoint: Checkpoint) -> str:
    digest = hashlib.sha256(json.dumps(checkpoint.extra, sort_keys=True).encode())
    for name in sorted(checkpoint.tensors):
        value = checkpoint.tensors[name]
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]
