"""The weights of a TorchScript archive, as OpenAI publishes its models, read without running what it holds."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORED = {"FloatStorage": torch.float32, "HalfStorage": torch.float16, "LongStorage": torch.int64}


class _Module:
    """Stands for a module of whatever class: only its attributes are kept."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


def is_scripted(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_scripted(path: Path) -> dict[str, Tensor]:
    """The tensors of a TorchScript archive by name.

    Raises:
        pickle.UnpicklingError: It holds something that is neither a module nor a tensor.
    """
    with zipfile.ZipFile(path) as archive:
        (listing,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(listing) as file:
            return dict(_tensors(_Unpickler(file, archive, listing.removesuffix(".pkl")).load(), ""))


class _Unpickler(pickle.Unpickler):
    """Knows modules, which it doesn't build, and tensors; refuses all else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, data: str) -> None:
        super().__init__(file)
        self._archive, self._data = archive, data

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _strided
        if module == "torch.jit._pickle":  # of lists and dictionaries with the type of what they hold
            return _untyped
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in _STORED:
            return _STORED[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, count = pid
        data = bytearray(self._archive.read(f"{self._data}/{key}"))
        return torch.frombuffer(data, dtype=dtype, count=count)


def _strided(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _untyped(value: Any, *_: Any) -> Any:
    return value


def _tensors(value: Any, name: str) -> Any:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, _Module):
        for each, inside in value.attributes.items():
            yield from _tensors(inside, f"{name}.{each}".lstrip("."))
