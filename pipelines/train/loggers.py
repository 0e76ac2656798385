"""TensorBoard and Weights & Biases, beside ``steps.parquet``."""

import importlib.util
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import InputError
from pipelines.train.config import TrainConfig
from pipelines.train.state import RunState


class Logger(Protocol):
    """Where numbers of a run go as well."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the numbers of a step."""

    def close(self) -> None:
        """Write what is still held back."""


class TensorBoardLogger:
    """Event files in the folder ``tensorboard`` of a run.

    Args:
        run: The run's folder.
        step: Steps done; what an earlier process logged from there on no longer counts.
    """

    def __init__(self, run: Path, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer: Any = SummaryWriter(os.fspath(run / "tensorboard"), purge_step=step or None)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the numbers of a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still held back."""
        self._writer.close()


class WandbLogger:
    """A run of Weights & Biases, named after the run's folder; its own environment variables hold.

    Args:
        run: The run's folder.
        identity: Id of the run there; a resumed run goes on under it.
        settings: The settings, shown with the run.

    Raises:
        InputError: It can't start.
    """

    def __init__(self, run: Path, identity: str, settings: dict[str, Any]) -> None:
        import wandb

        try:
            self._run: Any = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "mmts"),
                dir=os.fspath(run),
                name=run.resolve().name,
                id=identity,
                resume="allow",
                config=settings,
                settings=wandb.Settings(silent=True),
            )
        except wandb.Error as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"--logger wandb: can't start ({reason}); WANDB_MODE=offline needs no account") from error

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the numbers of a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Write what is still held back."""
        self._run.finish()


def open_loggers(config: TrainConfig, state: RunState) -> list[Logger]:
    """The loggers that were asked for; a resumed run goes on in what it logged before.

    Raises:
        InputError: wandb can't start.
    """
    loggers: list[Logger] = []
    for name in dict.fromkeys(config.logger):
        if name == "tensorboard":
            loggers.append(TensorBoardLogger(config.output, state.step))
        else:
            state.wandb_id = state.wandb_id or secrets.token_hex(4)
            settings = config.model_dump(mode="json", exclude_none=True)
            loggers.append(WandbLogger(config.output, state.wandb_id, settings))
    return loggers


def require_loggers(config: TrainConfig) -> None:
    """Check that the libraries of the loggers are there, before the first step.

    Raises:
        InputError: One isn't; says how to install it.
    """
    for name in config.logger:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"--logger {name}: {name} is not installed; pip install 'mmts[{name}]'")
