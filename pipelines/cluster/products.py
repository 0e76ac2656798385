"""Products of float32 rows, by NumPy or on a torch device: where the arithmetic of clustering is done.

They are sums in any order, fused or not, so they differ in the last bits from one machine to another. Those who ask
know how far off they can be, and decide again in float64 what is closer than that. So a device changes no result.
"""

import operator
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.cluster.precision import float32_products
from pipelines.engines import Engine
from pipelines.errors import InputError

if TYPE_CHECKING:
    import torch

PRODUCT_ROWS, PRODUCT_SCORES = 512, 2**19  # at least, and at most beyond that: scores that stay in a core's cache

_WORKER_ROWS = 32_768
_DEVICE_WORKER_ROWS = 4 * _WORKER_ROWS
_DEVICE_BLOCKS = 16
_DEVICE_SCORES = 2**25  # that a thread makes at a time on a device: 128 MiB

Held = Any  # rows where the products are made: an array, or a tensor on a device
Best = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]
Near = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class Products:
    """Products by NumPy, and what is found by them.

    Attributes:
        blocks: How many of a thread's blocks are worth one call.
    """

    blocks = 1

    def in_float32(self) -> AbstractContextManager[None]:
        """Within it products may be made; contexts may be in one another, or in several threads."""
        return nullcontext()

    def rows_at_once(self, targets: int) -> int:
        """How many rows to compare with so many targets at a time."""
        return max(PRODUCT_ROWS, PRODUCT_SCORES // targets)

    def hold(self, array: Any) -> Held:
        """An array where products are made."""
        return array

    def take(self, held: Held, which: NDArray[Any]) -> Held:
        """Some rows, by number or by a mask."""
        return held[which]

    def fetch(self, held: Held) -> NDArray[Any]:
        """What is held as an array."""
        return np.asarray(held)

    def two_best(self, rows_nd: Held, targets_kd: Held, minus_k: Held = None) -> Best:
        """For each row which target has the highest score, that score, and the next.

        Args:
            rows_nd: (n, d) rows, held.
            targets_kd: (k, d) targets, held.
            minus_k: (k,) what scores are less than the products, held; nothing if None.

        Returns:
            ``label_n``, of equal scores the first; ``best_n``; ``next_n``, minus infinity where there is one target.
        """
        score_nk = rows_nd @ targets_kd.T
        if minus_k is not None:
            score_nk -= minus_k
        every_n = np.arange(len(score_nk))
        label_n = score_nk.argmax(axis=1)
        best_n = score_nk[every_n, label_n]
        score_nk[every_n, label_n] = -np.inf
        return label_n, best_n, score_nk.max(axis=1)

    def above(self, rows_nd: Held, targets_kd: Held, low_n: Held) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs of a row and a target whose product is ``low_n``, that of the row, or more; by rows.

        Args:
            rows_nd: (n, d) rows, held.
            targets_kd: (k, d) targets, held.
            low_n: (n,) the smallest products, held.
        """
        return _pairs(rows_nd @ targets_kd.T >= low_n[:, None])

    def near(self, rows_nd: Held, targets_kd: Held, count_k: Held, low: float, high: float) -> Near:
        """For each row the counts of the targets with which its product is ``high`` or more, and who else is near.

        Args:
            rows_nd: (n, d) rows, held.
            targets_kd: (k, d) targets, held.
            count_k: (k,) how much each of these counts, held.
            low: From where a target is near.
            high: From where it is counted.

        Returns:
            ``size_n``, int64; ``row_p`` and ``target_p`` of the pairs whose product is above ``low`` and below
            ``high``.
        """
        score_nk = rows_nd @ targets_kd.T
        row_p, target_p = _pairs(score_nk > low)
        is_sure = score_nk[row_p, target_p] >= high
        size_n = np.bincount(row_p[is_sure], count_k[target_p[is_sure]], minlength=len(rows_nd)).astype(np.int64)
        return size_n, row_p[~is_sure], target_p[~is_sure]

    def reached(self, targets_kd: Held, rows_nd: Held, reach: float) -> NDArray[np.bool_]:
        """(k, n) whether the product of a target and a row is ``reach`` or more, or the row's largest."""
        score_kn = targets_kd @ rows_nd.T
        reached_kn: NDArray[np.bool_] = score_kn >= np.minimum(score_kn.max(axis=0), np.float32(reach))
        return reached_kn


class ProductsOnDevice(Products):
    """Products by torch, on a device.

    Torch is told to make them of float32 numbers, see `float32_products`. What it can't help, such as
    ``NVIDIA_TF32_OVERRIDE``, a product shows that has to be exact.

    Args:
        device: The device.

    Raises:
        InputError: Its products are not those of float32.
    """

    blocks = _DEVICE_BLOCKS

    def __init__(self, device: "torch.device") -> None:
        import torch

        self._device = device
        fine = 1 + 2.0**-12
        kind: Any = {"dtype": torch.float32, "device": device}
        factors = torch.full((1_024, 512), fine, **kind), torch.eye(512, **kind)
        with self.in_float32(), warnings.catch_warnings(), ThreadPoolExecutor(1) as other_thread:
            # Of a thread's first product, once in a process, as it sets the thread's context: there is nothing to do.
            # Here, and not where it may come first: filters are all threads', and others may change them meanwhile.
            warnings.filterwarnings("ignore", "Attempting to run cuBLAS, but there was no current CUDA context")
            product = other_thread.submit(operator.matmul, *factors).result()
        is_exact = bool((product == fine).all())
        if not is_exact:
            raise InputError(f"--device {device}: float32 products are not exact there; unset NVIDIA_TF32_OVERRIDE")

    def in_float32(self) -> AbstractContextManager[None]:
        """As `Products.in_float32`; what is changed in torch for it is undone at the end."""
        return float32_products(str(self._device))

    def rows_at_once(self, targets: int) -> int:
        """How many rows to compare with so many targets at a time."""
        return max(1, _DEVICE_SCORES // targets)

    def hold(self, array: Any) -> Held:
        """An array on the device; all of it, if it is on the disk."""
        import torch

        return torch.tensor(array[:], device=self._device)

    def take(self, held: Held, which: NDArray[Any]) -> Held:
        """Some rows, by number or by a mask."""
        return held[self.hold(which)]

    def fetch(self, held: Held) -> NDArray[Any]:
        """What is held as an array."""
        return np.asarray(held.cpu().numpy())

    def two_best(self, rows_nd: Held, targets_kd: Held, minus_k: Held = None) -> Best:
        """As `Products.two_best`."""
        score_nk = rows_nd @ targets_kd.T
        if minus_k is not None:
            score_nk -= minus_k
        best_n, label_n = score_nk.max(dim=1)
        score_nk.scatter_(1, label_n[:, None], -np.inf)
        return self.fetch(label_n), self.fetch(best_n), self.fetch(score_nk.amax(dim=1))

    def above(self, rows_nd: Held, targets_kd: Held, low_n: Held) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `Products.above`."""
        row_p, target_p = (rows_nd @ targets_kd.T >= low_n[:, None]).nonzero(as_tuple=True)
        return self.fetch(row_p), self.fetch(target_p)

    def near(self, rows_nd: Held, targets_kd: Held, count_k: Held, low: float, high: float) -> Near:
        """As `Products.near`."""
        score_nk = rows_nd @ targets_kd.T
        row_p, target_p = (score_nk > low).nonzero(as_tuple=True)
        is_sure = score_nk[row_p, target_p] >= high
        size_n = count_k.new_zeros(len(rows_nd)).index_add_(0, row_p, count_k[target_p] * is_sure)
        (open_p,) = (~is_sure).nonzero(as_tuple=True)
        return self.fetch(size_n), self.fetch(row_p[open_p]), self.fetch(target_p[open_p])

    def reached(self, targets_kd: Held, rows_nd: Held, reach: float) -> NDArray[np.bool_]:
        """As `Products.reached`."""
        score_kn = targets_kd @ rows_nd.T
        return self.fetch(score_kn >= score_kn.amax(dim=0).clamp(max=reach))


def _pairs(is_nk: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns of what is true; NumPy's `nonzero` takes ten times as long where that is little."""
    return np.divmod(np.flatnonzero(is_nk), is_nk.shape[1])


NUMPY = Products()


@cache
def products_on(device: str) -> Products:
    """The products of a device, by its name; the same each time.

    Raises:
        InputError: It can't be used here.
    """
    if device == "cpu":
        return NUMPY
    from pipelines.device import choose_device

    return ProductsOnDevice(choose_device(device))


def rows_of_worker(device: str) -> int:
    """How many rows to hand to a worker at a time."""
    return _WORKER_ROWS if device == "cpu" else _DEVICE_WORKER_ROWS


def device_here(device: str, engine: Engine) -> str:
    """The device for what an engine's workers don't do: this machine may lack the GPUs that theirs have.

    Args:
        device: The device asked for: ``cpu``, ``cuda`` or ``cuda:N``; with Ray each worker has one GPU, of no number.
        engine: The engine.

    Raises:
        InputError: It is no such name.
    """
    if not re.fullmatch(r"cpu|cuda" if engine.name == "ray" else r"cpu|cuda(:\d+)?", device):
        expected = "cpu or cuda with --engine ray" if engine.name == "ray" else "cpu, cuda or cuda:N"
        raise InputError(f"--device {device}: expected {expected}")
    if device == "cpu" or engine.name == "local":
        return device
    import torch

    return device if torch.cuda.is_available() else "cpu"


@contextmanager
def memory_of(device: str) -> Iterator[None]:
    """Say so where the memory of a device is not enough."""
    try:
        yield
    except RuntimeError as error:
        is_torchs = type(error).__name__ == "OutOfMemoryError"  # which is imported only where there is a device
        if not is_torchs and "ALLOC_FAILED" not in str(error):  # and what cuBLAS says
            raise
        raise InputError(f"--device {device}: its memory is not enough, or in use by others; leave it out") from error
