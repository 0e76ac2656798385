"""A run killed at any moment and resumed is the run that was never stopped, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_world import write_tower_config

KILLS = 20
COMMAND = [sys.executable, "-c", "from mmts_cli.app import main; main()"]


def start(command: list[str], *extra: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *command, *extra], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def finish(command: list[str], *extra: str) -> str:
    process = start(command, *extra)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return err


def results(run) -> dict[str, bytes]:
    """What a run leaves that must be the same: weights, steps, scores."""
    found = {str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "model").rglob("*.safetensors"))}
    found["metrics.json"] = (run / "metrics.json").read_bytes()
    found["steps"] = repr(pq.read_table(run / "steps.parquet").to_pydict()).encode()
    return found


def wait_for_a_checkpoint(process: subprocess.Popen, run) -> None:
    while process.poll() is None and not list((run / "checkpoints").glob("step-*.safetensors")):
        time.sleep(0.01)


@pytest.fixture
def small_run(world):
    """Dropout, a learned temperature, state of its own, micro-batches: all that a checkpoint must hold."""
    tower = write_tower_config(world.folder / "tower", "vit")
    settings = json.loads((tower / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.1}
    (tower / "config.json").write_text(json.dumps(settings))
    options = {"media": world.images(), "media_model": tower, "micro_batch": 6, "temperature": "isogclr", "tau": 0.02}

    def command(output: str) -> list[str]:
        return world.command(output, epochs=12, batch_size=16, checkpoint_steps=1, **options)

    return command


def test_twenty_kills(world, small_run) -> None:
    finish(small_run("whole"))
    expected = results(world.folder / "whole")
    run, command = world.folder / "run", small_run("run")
    random = np.random.default_rng(0)
    kills = 0
    stopped_at = []
    while kills < KILLS:
        process = start(command, "--resume")
        before = newest(run)
        while process.poll() is None and newest(run) == before:  # it is training, not still importing
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0:
            break
        kills += 1
        stopped_at.append(newest(run))
    assert kills == KILLS, f"the run ended after {kills} kills: give it more steps"
    assert len(set(stopped_at)) > KILLS / 2
    finish(command, "--resume")
    assert results(run) == expected
    assert not list((run / "checkpoints").glob("step-*"))


def newest(run) -> str:
    return max((path.name for path in (run / "checkpoints").glob("step-*.safetensors")), default="")
