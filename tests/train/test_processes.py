"""Several processes take the steps of one."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from tiny_world import write_tower_config

from pipelines.errors import InputError
from pipelines.train import launch, train

MMTS = [sys.executable, str(Path(sys.executable).with_name("mmts"))]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
WEIGHTS = ("heads.safetensors", "media_tower/model.safetensors")
# Stops once the fifth checkpoint is written: itself, as whoever watches it may see that late.
STOPPED = """
import os
from mmts_cli.app import main
from pipelines.train.folder import RunFolder

def save_and_stop(*arguments):
    if save(*arguments).stem == "step-000000005":
        {stop}

if __name__ == "__main__":
    save, RunFolder.save = RunFolder.save, save_and_stop
    main()
"""
FIGURES = ("loss", "gradient_norm", "temperature_min", "temperature_mean", "temperature_max")


@pytest.fixture
def options(world):
    """Pixels, a tower, learned parameters of the strategy; batches that two processes can't halve."""
    tower = write_tower_config(world.folder / "tower", "vit")
    return {
        **{"media": world.images(), "media_model": str(tower), "temperature": "mmts-learned", "tau": None},
        **{"alpha": 0.02, "shifts": world.shifts, "batch_size": 15, "epochs": 5, "max_grad_norm": 1.0, "lr": 1e-3},
    }


def steps(world, output: str) -> dict[str, list]:
    return pq.read_table(world.folder / output / "steps.parquet").to_pydict()


def run(command: list[str], code: int = 0) -> subprocess.CompletedProcess:
    """Run a command, in a process group of its own, to its end."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, start_new_session=True)
    assert ran.returncode == code, ran.stderr
    return ran


def newest(folder: Path) -> str:
    return max(path.stem for path in (folder / "checkpoints").glob("step-*"))


@pytest.mark.slow
@pytest.mark.parametrize(("parallel", "stop"), [("ddp", signal.SIGTERM), ("fsdp", signal.SIGKILL)])
def test_two_processes_take_the_steps_of_one_also_when_stopped_and_resumed(world, options, parallel, stop) -> None:
    """Parts of 7 and 8 pairs, in micro-batches; asked to stop, or killed."""
    options |= {"micro_batch": 7, "checkpoint_steps": 1}
    train(world.config("one", **options))
    ran = run([*MMTS, *world.command("two", **options, devices=2, parallel=parallel), "--json"])
    assert ran.stdout.count("\n") == 1, ran.stdout  # the second process doesn't speak
    one, two = steps(world, "one"), steps(world, "two")
    assert len(one["step"]) == 15
    assert two["step"] == one["step"]
    for name in FIGURES:
        assert two[name] == pytest.approx(one[name], rel=1e-5 if name == "loss" else 1e-3), name
    for file in WEIGHTS:
        ours, theirs = (load_file(world.folder / output / "model" / file) for output in ("one", "two"))
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)
    validations = [(world.folder / output / "metrics.json").read_text() for output in ("one", "two")]
    assert validations[0] == validations[1]

    line = [*world.command("parts", **options, devices=2, parallel=parallel), "--resume"]
    script = world.folder / "stopped.py"
    script.write_text(STOPPED.format(stop="os.killpg(0, 9)" if stop == signal.SIGKILL else "os.kill(os.getpid(), 15)"))
    ended = run([sys.executable, str(script), *line], code=-9 if stop == signal.SIGKILL else 130)
    assert ended.stderr.startswith("" if stop == signal.SIGKILL else "mmts: stopped at step 6 of 15, which is kept")
    assert newest(world.folder / "parts") == ("step-000000005" if stop == signal.SIGKILL else "step-000000006")
    assert not (world.folder / "parts" / "model").exists()
    run([*MMTS, *line])
    assert steps(world, "parts") == two
    for file in WEIGHTS:
        ours, theirs = ((world.folder / output / "model" / file).read_bytes() for output in ("parts", "two"))
        assert ours == theirs


@pytest.mark.slow
def test_fewer_pairs_than_processes_are_refused(world) -> None:
    ran = subprocess.run(
        [*MMTS, *world.command("run", devices=3, batch_size=2)], capture_output=True, text=True, timeout=600
    )
    assert "a batch of 2 pairs can't be shared by 3 processes" in ran.stderr
    assert ran.returncode == 2


@pytest.mark.slow
def test_torchrun_starts_the_processes_as_well(world, options) -> None:
    options |= {"epochs": 2, "micro_batch": 3}
    train(world.config("one", **options))
    run([*TORCHRUN, MMTS[1], *world.command("two", **options)])
    assert steps(world, "two")["loss"] == pytest.approx(steps(world, "one")["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, (1, 1)),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "3", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "train"}, (2, 3)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "3", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash"}, (1, 1)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "3"}, (1, 1)),  # in a batch script, outside srun
    ],
)
def test_processes_that_were_started_are_taken(monkeypatch, environment, found) -> None:
    monkeypatch.setattr("os.environ", environment)
    assert launch.processes_started(1, 1) == found
    assert launch.processes_started(*found) == found
    if found != (1, 1):
        with pytest.raises(InputError, match=r"--devices 7 --nodes 1: \w+ has started .* leave the flags out"):
            launch.processes_started(7, 1)


def test_a_device_that_is_not_there_is_one_line(world) -> None:
    with pytest.raises(InputError, match="--device cuda:99: can't be used here"):
        train(world.config("run", device="cuda:99"))


def test_bfloat16_takes_about_the_same_steps(world, options) -> None:
    options |= {"epochs": 3, "micro_batch": 6}
    train(world.config("whole", **options))
    train(world.config("half", precision="bf16-mixed", **options))
    whole, half = steps(world, "whole"), steps(world, "half")
    assert half["loss"] == pytest.approx(whole["loss"], rel=2e-2)
    assert half["loss"] != whole["loss"]
    assert half["gradient_norm"] == pytest.approx(whole["gradient_norm"], rel=0.1)


def test_float16_skips_steps_until_its_scale_fits(world, options) -> None:
    train(world.config("half", precision="16-mixed", **options | {"epochs": 5}))
    found = steps(world, "half")
    finite = [math.isfinite(norm) for norm in found["gradient_norm"]]
    assert False in finite[:3]  # the first scale, 65,536, is too much for these gradients
    assert all(finite[3:])
    assert all(map(math.isfinite, found["loss"]))
    assert found["loss"][-1] < found["loss"][0]


def test_float16_gradients_are_unscaled_once(world, options, monkeypatch) -> None:
    """What the optimizer sees has the norm that is recorded."""
    seen = []
    original = torch.optim.AdamW.step

    def step(self, *arguments, **named):
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        seen.append(float(torch.nn.utils.get_total_norm(grads)))
        return original(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    train(world.config("half", precision="16-mixed", **options | {"epochs": 5, "max_grad_norm": None}))
    recorded = [norm for norm in steps(world, "half")["gradient_norm"] if math.isfinite(norm)]
    assert len(recorded) > 3
    assert seen == pytest.approx(recorded, rel=1e-4)


def test_float16_that_overflows_for_good_is_stopped(world, options, monkeypatch) -> None:
    monkeypatch.setattr(
        "pipelines.train.step.gradient_norm", lambda weights, _: next(iter(weights)).new_tensor(math.inf)
    )
    with pytest.raises(InputError, match=r"^the gradient's norm is inf at step 50, in a batch of 15"):
        train(world.config("half", precision="16-mixed", **options | {"epochs": 30}))
