"""Torch's matrix products of float32, made of float32 numbers and not of ones rounded to TF32, of 10 bits."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pipelines.errors import InputError

_lock = threading.Lock()
_inside = 0  # how many contexts, in all threads: what they change is the process's
_changes = ExitStack()  # what they changed, until the last ends


@contextmanager
def float32_products(device: str) -> Iterator[None]:
    """Products are of float32 within, whatever a caller of torch, or the environment, wants; then all is as before.

    Contexts may be in one another, or in several threads.

    Raises:
        InputError: TF32 was turned on meanwhile.
    """
    global _inside
    with _lock:
        if not _inside:
            _changes.enter_context(_of_float32())
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            kept = _backends()[0].fp32_precision == "ieee"
            _inside -= 1
            if not _inside:
                _changes.close()
    if not kept:
        raise InputError(f"--device {device}: something else in this process turned TF32 on meanwhile; leave it out")


def _backends() -> tuple[Any, Any]:
    """The settings of products on GPUs, and on cores."""
    import torch

    backends: Any = torch.backends  # whose type lacks the second
    return backends.cuda.matmul, backends.mkldnn.matmul


@contextmanager
def _of_float32() -> Iterator[None]:
    import torch

    found = [backend.fp32_precision for backend in _backends()]
    try:
        general = torch.get_float32_matmul_precision()
    except RuntimeError:  # where only the GPU's own setting, which came later, asks for TF32
        general = "highest"
    torch.set_float32_matmul_precision("highest")  # sets the backends, also over TORCH_ALLOW_TF32_CUBLAS_OVERRIDE
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(general)
        for backend, precision in zip(_backends(), found, strict=True):
            backend.fp32_precision = precision
