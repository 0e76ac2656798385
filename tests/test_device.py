"""How many processes decode media, where nobody says."""

import pytest
import torch

from pipelines import device
from pipelines.device import decoding_workers


@pytest.mark.parametrize(
    ("asked", "on", "cores", "processes", "expected"),
    [
        (None, "cpu", 16, 1, 0),
        (None, "cuda", 16, 1, 8),
        (None, "cuda", 6, 1, 6),
        (None, "cuda", 16, 4, 4),
        (None, "cuda", 4, 4, 1),
        (None, "cuda", 1, 1, 0),
        (3, "cpu", 16, 1, 3),
        (0, "cuda", 16, 1, 0),
    ],
)
def test_processes_that_decode_go_by_the_device_and_the_cores(
    monkeypatch, asked, on, cores, processes, expected
) -> None:
    monkeypatch.setattr(device, "usable_cores", lambda: cores)
    assert decoding_workers(asked, torch.device(on), processes) == expected
