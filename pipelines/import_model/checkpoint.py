"""Reading a checkpoint: its weights, and what training kept beside them; no code in it runs."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError
from pipelines.import_model.scripted import is_scripted, read_scripted
from pipelines.models.loading import load_pickled

# Where those who write checkpoints put the weights in them.
_WEIGHTS = ("state_dict", "model", "model_state_dict")
_DAMAGED = "is damaged, or no checkpoint of torch; download it again"


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of a checkpoint by name, and the arguments of the training that made it, where they are there.

    Raises:
        InputError: It can't be read, needs code to run, or holds no weights.
    """
    require_file(path)
    if path.suffix == ".safetensors":
        return load_file(path), {}
    if not zipfile.is_zipfile(path) and _first_byte(path) != pickle.PROTO:
        raise InputError(_DAMAGED)
    try:
        found: Any = read_scripted(path) if is_scripted(path) else load_pickled(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            "needs code of its own to be read, which is not run; save the weights alone: "
            'torch.save(checkpoint["state_dict"], FILE)'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(_DAMAGED) from error
    arguments = found.get("args") if isinstance(found, dict) else None
    for name in _WEIGHTS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise InputError(f"holds no weights, neither by itself nor as {', '.join(_WEIGHTS)}")
    return dict(found), dict(arguments if isinstance(arguments, dict) else vars(arguments) if arguments else {})


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)
