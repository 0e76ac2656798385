"""TensorBoard and Weights & Biases get the numbers of steps.parquet."""

import signal

import pyarrow.parquet as pq
import pytest

from pipelines.errors import InputError, Interrupted
from pipelines.train import train
from pipelines.train.loggers import WandbLogger

COLUMNS = {"loss", "learning_rate", "temperature_min", "temperature_mean", "temperature_max", "gradient_norm"}


def scalars(run) -> dict[str, dict[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {name: {each.step: each.value for each in events.Scalars(name)} for name in events.Tags()["scalars"]}


def test_tensorboard_has_every_step_once_though_the_run_was_stopped(world, monkeypatch) -> None:
    import pipelines.train.loop as loop

    options = {"epochs": 3, "logger": ["tensorboard"], "checkpoint_steps": 2}
    original, taken = loop.take_step, []

    def take_step(*arguments):
        taken.append(1)
        if len(taken) == 4:  # after the checkpoint of step 2, and without one
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(loop, "take_step", take_step)
    with pytest.raises(KeyboardInterrupt):
        train(world.config("run", **options))
    monkeypatch.setattr(loop, "take_step", original)
    train(world.config("run", **options), resume=True)
    found = scalars(world.folder / "run")
    steps = pq.read_table(world.folder / "run" / "steps.parquet").to_pydict()
    assert steps["step"] == list(range(9))
    for name in COLUMNS:
        assert found[name] == pytest.approx(dict(enumerate(steps[name])))
    assert list(found["validation/recall_sum"]) == [3, 6, 9]


@pytest.mark.slow
def test_wandb_goes_on_under_one_id(world, monkeypatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    calls, logged = [], []
    original = wandb.init

    def init(**arguments):
        calls.append(arguments)
        return original(**arguments)

    log = WandbLogger.log
    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(
        WandbLogger, "log", lambda self, values, step: (logged.append((step, values)), log(self, values, step))
    )
    options = {"epochs": 2, "logger": ["wandb"], "checkpoint_steps": 1}
    import pipelines.train.loop as loop

    step = loop.take_step

    def take_step(session, batch, number):
        if number == 2 and len(calls) == 1:
            signal.raise_signal(signal.SIGTERM)
        return step(session, batch, number)

    monkeypatch.setattr(loop, "take_step", take_step)
    with pytest.raises(Interrupted):
        train(world.config("run", **options))
    train(world.config("run", **options), resume=True)
    assert [number for number, values in logged if "loss" in values] == list(range(6))
    assert set(logged[0][1]) == COLUMNS
    assert calls[0]["id"] == calls[1]["id"]
    assert calls[0]["config"]["tau"] == 0.1
    assert len(list((world.folder / "run" / "wandb").glob("offline-run-*"))) == 2


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_logger_that_is_not_installed_is_named_before_the_first_step(world, monkeypatch, name) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda found, *rest: None if found == name else find(found, *rest))
    with pytest.raises(InputError, match=f"--logger {name}: .* pip install 'mmts\\[{name}\\]'"):
        train(world.config("run", logger=[name]))
