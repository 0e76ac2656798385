"""Runs one after the other, or in several processes at once."""

import multiprocessing
import os
import threading
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from pipelines.device import usable_cores
from pipelines.errors import InputError
from pipelines.sweep.runs import Data, Run, perform
from pipelines.train.config import TrainConfig

MOST_JOBS = 256

# Of this process, where it is one of several.
_data: Data | None = None
_device: str | None = None


def perform_all(
    runs: Sequence[Run], sweep: Path, data: Data, jobs: int
) -> Generator[tuple[Run, dict[str, Any]], None, None]:
    """Perform runs, and give each with what came of it as soon as it is done; close it to end the others.

    Args:
        runs: The runs.
        sweep: Folder of the sweep.
        data: The files; other processes read them for themselves.
        jobs: Processes at once; with 1 this one does it.

    Raises:
        InputError: A file or setting can't be used, or a process was killed.
        Interrupted: It was asked to stop.
    """
    if not runs:
        return
    if jobs == 1:
        for run in runs:
            yield run, perform(run, data, sweep)
        return
    spawn = multiprocessing.get_context("spawn")
    numbers = spawn.SimpleQueue()
    for number in range(jobs):
        numbers.put(number)
    threads = max(1, usable_cores() // jobs)
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(jobs, spawn, _start, (data.config, threads, numbers)) as pool:
        waiting = {pool.submit(_perform, run, sweep): run for run in runs}
        try:
            for done in as_completed(waiting):
                found, said = done.result()
                for message in said:
                    warnings.warn(message, stacklevel=2)
                yield waiting[done], found
        except BaseException as error:
            # One that is asked to stop ends its run and begins the next. The pool joins them, at the end of `with`: two
            # that wait for one process can each find that the other has its exit code.
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a process of the sweep was killed, as happens when memory runs out; finished runs are kept, go on "
                    "with fewer --jobs"
                ) from error
            raise


def _start(first: TrainConfig, threads: int, numbers: "SimpleQueue[int]") -> None:
    """Get a process of the pool ready: its share of the cores, a GPU of its own if there are several."""
    global _data, _device
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _data = Data(first)
    torch.set_num_threads(threads)
    threadpool_limits(threads)  # NumPy's products, which rank, have threads of their own
    number = numbers.get()
    if first.device is None and torch.cuda.is_available():
        _device = f"cuda:{number % torch.cuda.device_count()}"


def _end_with_parent() -> None:
    """End this process when the one that started it has ended: one that is killed can't end its pool."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _perform(run: Run, sweep: Path) -> tuple[dict[str, Any], list[str]]:
    """Perform a run; gives what came of it, and the warnings."""
    assert _data is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong with the data the first process has said
        _ = _data.files  # are read now, where not before; not in `_start`, whose errors would end as a broken pool
    if _device is not None:
        run = replace(run, config=run.config.model_copy(update={"device": _device}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = perform(run, _data, sweep)
    return found, [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
