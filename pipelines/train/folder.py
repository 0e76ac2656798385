"""A run's folder: what is in it, what may be written over, and where a run goes on from."""

import contextlib
import shutil
import warnings
from pathlib import Path

from pipelines.artifacts import StagePlan, StageResult
from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError
from pipelines.train.checkpoint import Checkpoint, read_checkpoint, read_extra, write_checkpoint
from pipelines.train.config import TrainConfig

_KEPT = 2  # a damaged newest checkpoint leaves the one before
_CONFIG = "config.json"
_FILES = ("metrics.json", "steps.parquet", "checkpoints", "model", "tensorboard", _CONFIG)
_BESIDE = {"previous", "previous.tmp", "wandb"}  # what a folder may hold that has no run


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps = path / "steps.parquet"
        self.metrics = path / "metrics.json"
        self.model = path / "model"
        self.best = path / "checkpoints" / "best.safetensors"
        self._checkpoints = path / "checkpoints"
        self._config = path / _CONFIG

    def open(
        self, plan: StagePlan, config: TrainConfig, *, resume: bool, force: bool
    ) -> StageResult | Checkpoint | None:
        """Decide what to do in this folder: nothing is changed.

        Returns:
            The result, where the run is complete and up to date; the checkpoint to go on from; None to start.

        Raises:
            InputError: The folder isn't a run's, or holds an unfinished run and neither ``resume`` nor ``force`` was
                given, or an unfinished one with other settings.
        """
        if force or not self.path.is_dir() or {each.name for each in self.path.iterdir()} <= _BESIDE:
            return None
        if not self._is_run():
            raise InputError(
                f"{self.path}: is a folder with files that are no run; use --force, or another output folder"
            )
        complete = self.is_complete()
        if complete and (done := plan.finished(force=False)):
            return StageResult(self.path, True, done.summary)
        if complete:
            return None  # of other settings: it makes way, see `start`
        difference = self._difference(plan, config)
        return self._unfinished(difference, resume=resume)

    def _unfinished(self, difference: str | None, *, resume: bool) -> Checkpoint | None:
        if not self.checkpoints():
            return None
        if difference:
            raise InputError(
                f"{self.path}: holds an unfinished run of other settings ({difference}); give it those settings and "
                "--resume, or --force to start over"
            )
        if not resume:
            raise InputError(
                f"{self.path}: holds an unfinished run ({self.checkpoints()[0].stem}); --resume goes on with it, "
                "--force starts over"
            )
        return self.newest_checkpoint()

    def is_complete(self) -> bool:
        """Whether a run came to its end here."""
        return self.metrics.exists() and self.model.is_dir() and self.steps.exists()

    def start(self, config: TrainConfig, plan: StagePlan) -> None:
        """Write ``config.json``, with nothing left beside it that could pass for this run's.

        A complete run that was here is kept in ``previous``, until another takes its place there; so are files of
        these names that are not a run's.
        """
        aside = self.path / "previous.tmp"
        if aside.exists() or self.is_complete() or not self._is_run():
            aside.mkdir(exist_ok=True)
            for found in (self.path / name for name in _FILES):
                if found.exists():
                    found.rename(aside / found.name)
            shutil.rmtree(self.path / "previous", ignore_errors=True)
            aside.rename(self.path / "previous")
        for found in (self.path / name for name in _FILES):
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)
        write_json(
            self._config,
            {
                "command": "train",
                "parameters": config.model_dump(mode="json", exclude_none=True),
                "fingerprint": plan.fingerprint,
                "libraries": plan.provenance().libraries,
            },
        )

    def _is_run(self) -> bool:
        """Whether the folder's ``config.json`` is one that a run wrote."""
        if not self._config.is_file():
            return False
        recorded = read_json(self._config)
        return isinstance(recorded, dict) and recorded.get("command") == "train"

    def checkpoints(self) -> list[Path]:
        """The checkpoints a run can go on from, newest first."""
        return sorted(self._checkpoints.glob("step-*.safetensors"), reverse=True)

    def best_of(self, epoch: int) -> Path:
        """The weights of an epoch that was the best so far; under one name once the run is complete."""
        path = self._checkpoints / f"best-{epoch:06d}.safetensors"
        return path if path.exists() or not self.best.exists() else self.best

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint and remove those that are no longer needed."""
        path = self._checkpoints / f"step-{checkpoint.extra['run']['step']:09d}.safetensors"
        write_checkpoint(path, checkpoint)
        found = self.checkpoints()
        for old in [*found[: found.index(path)], *found[found.index(path) + _KEPT :]]:  # later ones were damaged
            old.unlink()
        self.prune(checkpoint.extra["run"]["best_epoch"])
        return path

    def prune(self, best_epoch: int) -> None:
        """Remove best weights that no checkpoint goes on with, and what a kill left half written."""
        needed = {best_epoch}
        for path in self.checkpoints():
            with contextlib.suppress(InputError):
                needed.add(read_extra(path)["run"]["best_epoch"])
        for path in self._checkpoints.glob("best-*.safetensors"):
            if int(path.stem.removeprefix("best-")) not in needed:
                path.unlink()
        for path in self._checkpoints.glob(".*.tmp"):
            path.unlink()

    def newest_checkpoint(self) -> Checkpoint:
        """The newest checkpoint that is whole; warns of each that isn't.

        Raises:
            InputError: None is.
        """
        for path in self.checkpoints():
            try:
                return read_checkpoint(path)
            except InputError as error:
                warnings.warn(f"{error}; going on from the checkpoint before", stacklevel=2)
        raise InputError(f"{self.path}: none of its checkpoints is whole; --force starts over")

    def finish(self) -> None:
        """Leave of a complete run's checkpoints the best weights, under one name."""
        best = self._checkpoints / f"best-{read_json(self.metrics)['best_epoch']:06d}.safetensors"
        with contextlib.suppress(FileNotFoundError):  # it has its name already, or another process gives it now
            best.replace(self.best)
        for path in [*self.checkpoints(), *self._checkpoints.glob("best-*.safetensors")]:
            path.unlink(missing_ok=True)

    def _difference(self, plan: StagePlan, config: TrainConfig) -> str | None:
        """How this run differs from the one in the folder; None if it doesn't."""
        recorded = read_json(self._config)
        if recorded.get("fingerprint") == plan.fingerprint:
            return None
        return config.differences(recorded.get("parameters", {})) or "its input files, or mmts, changed"
