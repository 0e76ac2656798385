"""Which device torch computes on."""

import torch

from pipelines.errors import InputError


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
