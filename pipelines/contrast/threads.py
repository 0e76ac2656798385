"""Threads of our own for walks over many tiles: each works on its own tiles, all results in one order.

Left to itself torch splits every operation on a tile among its threads, and waits for all of them before the next one.
Where another process takes a core for a moment, each of those short waits lasts as long as that moment. Few tiles are
left to torch all the same: waking a thread of ours takes longer than they do, as torch's threads wait busily for a
while for the next operation.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import torch

# Strips of columns there should be for threads to share, where each has columns enough for products at full speed.
_STRIPS, _LEAST_WIDTH = 4, 256
_FEW_TILES = 4  # benchmarks/contrast_losses.py


class Turn:
    """A ``with`` block that a tile enters when the tile to its left has left its own."""

    def __init__(self, left: threading.Semaphore | None, own: threading.Semaphore) -> None:
        self._left, self._own = left, own

    def __enter__(self) -> None:
        if self._left is not None:
            self._left.acquire()

    def __exit__(self, *_: object) -> None:
        self._own.release()


def walk_tiles(
    visit: Callable[[slice, slice, Turn], None], rows: int, columns: int, tile: int, device: torch.device
) -> None:
    """Visit all tiles of a matrix; many of them in strips of columns that threads share: as many as torch uses.

    Args:
        visit: Called with the rows and columns of each tile, and its turn: what it adds to values of columns it may add
            at any time, what it adds to values of rows only ``with turn:``. So the sums of many tiles are the same to
            the bit whatever the number of threads; those of few are what torch's threads make of them.
        rows: Rows of the matrix.
        columns: Columns of the matrix.
        tile: Most rows and columns of a tile; where threads share them they can be narrower, so that there are some.
        device: Where the tiles are.
    """
    if -(-rows // tile) * -(-columns // tile) <= _FEW_TILES or device.type != "cpu":
        turn = Turn(None, threading.Semaphore())  # none waits for another, as they come one by one
        with torch.no_grad():
            for strip in slices(columns, tile):
                for part in slices(rows, tile):
                    visit(part, strip, turn)
        return
    width = min(tile, max(_LEAST_WIDTH, -(-columns // _STRIPS)))
    parts, strips = slices(rows, tile), slices(columns, width)
    left_turns = [threading.Semaphore(0) for _ in strips]

    def visit_strip(strip: slice) -> None:
        index = strip.start // width
        own = left_turns[index]
        turn = Turn(left_turns[index - 1] if index else None, own)
        try:
            for part in parts:
                visit(part, strip, turn)
        finally:
            for _ in parts:  # after an error nobody may wait for ever
                own.release()

    for_each(visit_strip, strips, device)


def for_each(task: Callable[[slice], None], parts: Sequence[slice], device: torch.device) -> None:
    """Call ``task`` with each part, begun in their order, by as many threads as torch would use.

    Args:
        task: What is done with a part. It runs without gradients.
        parts: The parts, of rows or of columns; where all of them squared are few tiles they are done one by one, each
            by torch's own threads.
        device: Where the tensors are: on a GPU one thread keeps it busy.
    """
    inference = torch.is_inference_mode_enabled()

    def without_gradients(part: slice) -> None:
        with torch.inference_mode(inference), torch.no_grad():  # these are a thread's own
            task(part)

    def alone(part: slice) -> None:
        torch.set_num_threads(1)  # a thread's own, too
        without_gradients(part)

    if device.type != "cpu" or len(parts) ** 2 <= _FEW_TILES:
        for part in parts:
            without_gradients(part)
        return
    with _alone() as threads:
        workers = min(threads, len(parts))
        if workers <= 1:
            for part in parts:
                without_gradients(part)
            return
        tasks: list[Future[None]] = []
        try:
            tasks.extend(_pool(os.getpid(), workers).submit(alone, part) for part in parts)
            for each in tasks:
                each.result()
        finally:
            for each in tasks:
                each.cancel()
            wait(tasks)


@cache
def _pool(process: int, workers: int) -> ThreadPoolExecutor:
    """Threads that stay, since starting them takes milliseconds while torch's wait busily; a fork has none of them."""
    return ThreadPoolExecutor(workers, thread_name_prefix="tiles")


_lock, _walking, _threads = threading.Lock(), 0, 1


@contextmanager
def _alone() -> Iterator[int]:
    """Keep torch to one thread here; yields how many it may use otherwise.

    The setting is the process's own, too: of several Python threads in a loss the first knows what it was.
    """
    global _walking, _threads
    with _lock:
        if not _walking:
            _threads = torch.get_num_threads()
        _walking += 1
        threads = _threads
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        with _lock:
            _walking -= 1
        torch.set_num_threads(threads)


def slices(length: int, tile: int) -> list[slice]:
    """Return slices of at most ``tile`` rows that cover ``length`` rows in order."""
    return [slice(start, min(start + tile, length)) for start in range(0, length, tile)]
