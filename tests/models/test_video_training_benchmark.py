"""The benchmark of video training, on a small model: whoever has a GPU runs it in a line."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "video_training.py"


@pytest.mark.slow
def test_it_runs_on_a_cpu_and_gradients_agree() -> None:
    command = [sys.executable, SCRIPT, "--tiny", "--no-compile", "--device", "cpu", "--batches", "2"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("gradients agree to rounding\n")
    assert ran.stdout.count("\nfloat32 ") == ran.stdout.count("\nbfloat16 ") == 3  # an error, steps with and without
