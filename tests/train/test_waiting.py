"""A step does not wait for the device: its figures are read with those of others, and every step is recorded."""

import math
import sys
from collections.abc import Callable
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest
import torch

import pipelines.train.figures as figures
import pipelines.train.loop as loop
from pipelines.errors import InputError
from pipelines.train import train

# What makes the host wait for a GPU: a tensor's values as Python's own.
READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero")
STEPS = 12  # of 4 epochs


@pytest.fixture
def reads(monkeypatch) -> Callable:
    """Within it, the reads of tensors by our code, but for the losses, which choose their way by the largest scale.

    PyTorch's optimizers count steps on the CPU.
    """

    @contextmanager
    def counting():
        found: list[str] = []

        def counted(name, original):
            def read(self, *arguments, **options):
                caller = sys._getframe(1).f_globals.get("__name__", "")
                if caller.startswith("pipelines.") and not caller.startswith("pipelines.contrast."):
                    found.append(f"{caller}: {name}")
                return original(self, *arguments, **options)

            return read

        with monkeypatch.context() as patch:
            for name in READS:
                patch.setattr(torch.Tensor, name, counted(name, getattr(torch.Tensor, name)))
            yield found

    return counting


def options(world, name: str) -> dict:
    if name == "mmts":
        return {"temperature": "mmts", "tau": None, "alpha": 0.02, "shifts": world.shifts}
    return {"temperature": name, **({} if name == "learned" else {"tau": 0.1})}


@pytest.mark.parametrize("name", ["fixed", "learned", "cosine", "mmts"])
def test_no_step_reads_what_it_computed(world, monkeypatch, reads, name) -> None:
    original, found = loop.take_step, []

    def take_step(*arguments):
        with reads() as read:
            taken = original(*arguments)
        found.extend(read)
        return taken

    monkeypatch.setattr(loop, "take_step", take_step)
    train(world.config("run", epochs=4, max_grad_norm=1.0, **options(world, name)))
    assert sorted(set(found)) == []


@pytest.mark.parametrize(("log_every", "expected"), [(1, STEPS), (2, 8), (10, 4)])
def test_figures_are_read_together(world, monkeypatch, log_every, expected) -> None:
    """Every so many steps, and at the end of an epoch of three."""
    original, fetched = figures.fetch, []

    def fetch(taken):
        fetched.append(len(taken))
        return original(taken)

    monkeypatch.setattr(figures, "fetch", fetch)
    train(world.config("run", epochs=4, log_every=log_every))
    assert (len(fetched), sum(fetched)) == (expected, STEPS)
    assert pq.read_table(world.folder / "run" / "steps.parquet")["step"].to_pylist() == list(range(STEPS))


def test_when_they_are_read_changes_nothing(world) -> None:
    tables = []
    for log_every in (1, 100):
        config = world.config(f"run{log_every}", log_every=log_every, **options(world, "learned"))
        train(config)
        tables.append(pq.read_table(config.output / "steps.parquet").to_pydict())
    assert tables[0] == tables[1]


@pytest.mark.parametrize("log_every", [1, 3, 100])
def test_the_first_step_that_fails_is_named_with_its_samples(world, monkeypatch, log_every) -> None:
    """Steps after it have run by then; no checkpoint holds what they made of the weights."""
    original, batches = loop.take_step, []

    def take_step(session, batch, step):
        batches.append([session.training.sample_ids[row] for row in batch.all_sample_rows.tolist()])
        if step == 6:
            with torch.no_grad():
                next(session.encoder.parameters()).fill_(math.nan)
        return original(session, batch, step)

    monkeypatch.setattr(loop, "take_step", take_step)
    settings = {"epochs": 4, "batch_size": 10, "checkpoint_steps": 6, "log_every": log_every}
    with pytest.raises(InputError) as error:
        train(world.config("run", **settings))
    checkpoint = world.folder / "run" / "checkpoints" / "step-000000006.safetensors"
    assert str(error.value).startswith(
        f"the loss is nan at step 6, in a batch of 10 samples starting with {', '.join(batches[6][:3])}; "
        f"the last good checkpoint is {checkpoint}"
    )
    assert len(batches) == (7 if log_every == 1 else 8)
