"""A run's folder: what is in it, what may be written over, and where a run goes on from."""

import shutil
import warnings
from pathlib import Path

from pipelines.artifacts import StagePlan, StageResult
from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError
from pipelines.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pipelines.train.config import TrainConfig

_KEPT = 2  # a damaged newest checkpoint leaves the one before
_FILES = ("metrics.json", "steps.parquet", "checkpoints", "model")


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
        self._config = path / "config.json"

    def open(
        self, plan: StagePlan, config: TrainConfig, *, resume: bool, force: bool
    ) -> StageResult | Checkpoint | None:
        """Decide what to do in this folder: nothing is changed.

        Returns:
            The result, where the run is complete and up to date; the checkpoint to go on from; None to start.

        Raises:
            InputError: The folder isn't a run's, or holds an unfinished run and neither ``resume`` nor ``force`` was
                given, or one with other settings.
        """
        if force or not self.path.is_dir() or not any(self.path.iterdir()):
            return None
        if not self._config.exists():
            raise InputError(
                f"{self.path}: is a folder with files that are no run; use --force, or another output folder"
            )
        complete = self.is_complete()
        if complete and (done := plan.finished(force=False)):
            return StageResult(self.path, True, done.summary)
        difference = self._difference(plan, config)
        if complete:
            if resume:
                raise InputError(
                    f"{self.path}: --resume: holds a complete run of other settings ({difference}); choose another "
                    "output folder, or leave --resume out to train anew"
                )
            return None
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

        A complete run that was here is kept in ``previous``, until another takes its place there.
        """
        previous = self.path / "previous"
        keep = self.is_complete()
        if keep:
            shutil.rmtree(previous, ignore_errors=True)
            previous.mkdir()
        for found in (self.path / name for name in (*_FILES, self._config.name)):
            if keep and found.exists():
                found.rename(previous / found.name)
            elif found.is_dir():
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

    def checkpoints(self) -> list[Path]:
        """The checkpoints a run can go on from, newest first."""
        return sorted((self.path / "checkpoints").glob("step-*.safetensors"), reverse=True)

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint and remove those that are no longer needed."""
        path = self.path / "checkpoints" / f"step-{checkpoint.extra['run']['step']:09d}.safetensors"
        write_checkpoint(path, checkpoint)
        for old in self.checkpoints()[_KEPT:]:
            old.unlink()
        return path

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
        """Remove the checkpoints that a complete run has no more use for."""
        for path in self.checkpoints():
            path.unlink()

    def _difference(self, plan: StagePlan, config: TrainConfig) -> str | None:
        """How this run differs from the one in the folder; None if it doesn't."""
        recorded = read_json(self._config)
        if recorded.get("fingerprint") == plan.fingerprint:
            return None
        return config.differences(recorded.get("parameters", {})) or "its input files, or mmts, changed"
