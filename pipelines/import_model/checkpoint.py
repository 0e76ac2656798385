"""Reading a checkpoint: its weights, and what training kept beside them; no code in it runs."""

import argparse
import pickle
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError
from pipelines.import_model.scripted import is_scripted, read_scripted
from pipelines.models.loading import load_pickled

# Where those who write checkpoints put the weights in them.
_WEIGHTS = ("state_dict", "model", "model_state_dict")
_DAMAGED = "is damaged, or no checkpoint; download it again"


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of a checkpoint by name, and the arguments of the training that made it, where they are there.

    Raises:
        InputError: It can't be read, needs code to run, or holds no weights.
    """
    require_file(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path), {}
        except SafetensorError as error:
            raise InputError(_DAMAGED) from error
    found = _read_pickled(path)
    arguments = found.get("args") if isinstance(found, dict) else None
    if isinstance(arguments, argparse.Namespace):
        arguments = vars(arguments)
    for name in _WEIGHTS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise InputError(f"holds no weights, neither by itself nor as {', '.join(_WEIGHTS)}")
    return dict(found), arguments if isinstance(arguments, dict) else {}


def _read_pickled(path: Path) -> Any:
    """What torch saved.

    Raises:
        InputError: It is damaged, or needs code to run.
    """
    try:
        _require_whole(path)
        with warnings.catch_warnings(action="ignore"):
            return read_scripted(path) if is_scripted(path) else load_pickled(path)
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise InputError(
            f"needs {'code of its own' if named is None else named[1][:60]} to be read, which is not run; save the "
            'weights alone: torch.save(checkpoint["state_dict"], FILE); --norm-style then replaces what args says'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(_DAMAGED) from error


def _require_whole(path: Path) -> None:
    """Check that a file is a pickle, or a zip whose content has the checksums that are stored with it.

    Raises:
        InputError: It isn't.
    """
    if not zipfile.is_zipfile(path):
        if _first_byte(path) != pickle.PROTO:
            raise InputError(_DAMAGED)
        return
    with zipfile.ZipFile(path) as archive:
        if name := archive.testzip():
            raise InputError(
                f"is damaged: the checksum of {name[:60]} is wrong; download it again, or save it with checksums if it "
                "was saved without"
            )


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)
