"""BLAS with one thread, while threads of ours each make their own products."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _blas() -> ThreadpoolController:
    """NumPy's BLAS, and what others are loaded; looking for them takes longer than a small k-means."""
    return ThreadpoolController().select(user_api="blas")


def blas_threads() -> int:
    """How many threads BLAS has."""
    return min((library["num_threads"] for library in _blas().info()), default=1)


def limit_blas() -> Any:
    """Give BLAS one thread; with OpenMP that is a thread's own, and each has to ask for it."""
    return _blas().limit(limits=1)


_lock, _inside = Lock(), 0
_first: Any = None  # limits, with what they were before


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS with one thread, for several at once: the last to leave gives it back as the first has found it."""
    global _inside, _first
    with _lock:
        own = limit_blas()
        _first = _first if _inside else own
        _inside += 1
        first = _first
    try:
        yield
    finally:
        with _lock:
            own.restore_original_limits()  # with OpenMP they are a thread's own
            _inside -= 1
            if not _inside:
                first.restore_original_limits()
