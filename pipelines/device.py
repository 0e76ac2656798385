"""Which device torch computes on, and how many processes decode media for it."""

import os

import torch

from pipelines.errors import InputError

_MOST_DECODING = 8


def choose_device(name: str | None) -> torch.device:
    """The torch device of a name; a GPU where there is one, else the CPU, if None.

    Raises:
        InputError: The device is not available on this machine.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # an assertion: torch was built without CUDA
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"--device {name}: can't be used here ({reason}); leave it out") from error
    return device


def decoding_workers(asked: int | None, device: torch.device, processes: int = 1) -> int:
    """Processes that decode media for one that encodes them or trains.

    Args:
        asked: As asked for, if it was; else there are none on a CPU, whose cores the towers need, nor on one core.
        device: Where the towers are.
        processes: How many on this machine share its cores.
    """
    if asked is not None:
        return asked
    cores = usable_cores()
    return 0 if device.type == "cpu" or cores == 1 else min(_MOST_DECODING, cores // processes)


def usable_cores() -> int:
    """Processor cores that this process may use; all of the machine's where the system doesn't say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
