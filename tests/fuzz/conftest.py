"""How much is tried: a seeded few by default, ``MMTS_FUZZ`` inputs over all fuzz tests if it is set (`make fuzz`)."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pipelines.errors import InputError

INPUTS = int(os.environ.get("MMTS_FUZZ", "0"))
_SHORT = 1_000


def tries(share: float) -> Any:
    """Settings of a fuzz test that gets this share of all inputs; the shares of all tests add up to 1.

    The short version draws the same inputs each time, so that a pull request fails by its own faults only.
    """
    return settings(
        max_examples=max(1, round(share * (INPUTS or _SHORT))),
        derandomize=not INPUTS,
        database=None,
        deadline=10_000,  # milliseconds for one input: more is a hang
        suppress_health_check=list(HealthCheck),
    )


def accepted(work: Callable[[], Any]) -> Any:
    """What ``work`` gives, or None where it refuses its input in one short line; any other exception is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except InputError as error:
            refusal = str(error)
    assert refusal.strip()
    assert "\n" not in refusal.strip()
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all inputs of a file: hypothesis calls a test many times with the same fixtures."""
    return tmp_path_factory.mktemp("fuzz")
