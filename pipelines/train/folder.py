"""A run's folder: what is in it, what may be written over, and where a run goes on from."""

import contextlib
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from pipelines.artifacts import StagePlan
from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError
from pipelines.model_files import require_as_trained
from pipelines.remote import remove_folder
from pipelines.train.checkpoint import Checkpoint, read_checkpoint, read_extra, write_checkpoint
from pipelines.train.config import TrainConfig
from pipelines.train.result import RunResult

_KEPT = 2  # a damaged newest checkpoint leaves the one before
_CONFIG = "config.json"
_FILES = ("metrics.json", "steps.parquet", "checkpoints", "model", "tensorboard", _CONFIG)
_PREVIOUS, _MAKING_WAY, _DISCARDED = "previous", "previous.tmp", ".discarded.tmp"
_BESIDE = {_PREVIOUS, _MAKING_WAY, "wandb"}  # what a folder may hold that has no run
METRICS_DIGEST = "metrics_digest"  # of a run's summary
MENDABLE = "mendable"  # of the checkpoint of a run that stopped at media, which may have changed when it goes on
_RESTS = ".*.tmp"  # what a kill leaves half written or half deleted


def content_digest(value: Any) -> str:
    """SHA-256 of what a JSON file holds, as 32 hexadecimal digits, however it is written."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


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
        self._previous, self._making_way, self._discarded = path / _PREVIOUS, path / _MAKING_WAY, path / _DISCARDED

    def open(self, plan: StagePlan, config: TrainConfig, *, resume: bool, force: bool) -> RunResult | Checkpoint | None:
        """Decide what to do in this folder: nothing is changed.

        Returns:
            The result, where the run is complete and up to date; the checkpoint to go on from; None to start.

        Raises:
            InputError: Without ``force``: the folder holds other files than a run's; or an unfinished run that
                ``resume`` was not given for, or of other settings; or two complete runs.
        """
        if force or not self.path.is_dir():
            return None
        names = {each.name for each in self.path.iterdir() if not each.match(_RESTS)}
        if not self._is_run() and not names <= _BESIDE:
            raise InputError(
                f"{self.path}: is not a run folder, but holds other files; choose another output folder, or --force to "
                "start there"
            )
        if self.is_complete() and (done := plan.finished(force=False)):
            damage = self._damage(done.summary)
            if damage is None:
                return RunResult(self.path, True, done.summary)
            warnings.warn(f"{damage}; trained again, and what is there goes to {_PREVIOUS}/", stacklevel=2)
        if self._has_to_make_way():
            if _holds_anything(self._previous):
                raise InputError(
                    f"{self.path}: holds another complete run, and one more in {_PREVIOUS}/; choose "
                    f"another output folder, or --force to delete the one in {_PREVIOUS}/"
                )
            return None
        if not self._is_run():
            return None
        return self._unfinished(plan, config, resume=resume)

    def _unfinished(self, plan: StagePlan, config: TrainConfig, *, resume: bool) -> Checkpoint | None:
        if not self.checkpoints():
            return None
        if difference := self._difference(plan, config):
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

    def _damage(self, summary: dict[str, Any]) -> str | None:
        """What of a complete run is not as its training left it, in words; None if all is."""
        try:
            require_as_trained(self.model)
            metrics = read_json(self.metrics)
        except InputError as error:
            return str(error).partition(";")[0]
        recorded = summary.get(METRICS_DIGEST)  # runs of mmts 0.1.0 have none
        changed = recorded is not None and recorded != content_digest(metrics)
        return f"{self.metrics}: damaged or changed since the run was trained" if changed else None

    def start(self, config: TrainConfig, plan: StagePlan) -> None:
        """Write ``config.json``, with nothing left beside it that could pass for this run's.

        A complete run that was here is kept in ``previous``, and so are files of these names that are not a run's. What
        ``previous`` held before goes: `open` has let that happen with ``force`` alone. A kill between any two of these
        steps leaves a folder in which ``start`` takes up where it was.
        """
        self._remove_rests()
        if self._has_to_make_way():
            if self._previous.exists():
                self._previous.rename(self._discarded)
                _remove(self._discarded)
            self._making_way.mkdir(exist_ok=True)
            for name in _FILES:
                if (self.path / name).exists():
                    (self.path / name).rename(self._making_way / name)
            self._making_way.rename(self._previous)
        for name in _FILES:
            _remove(self.path / name)
        self._record(config, plan)

    def go_on(self, config: TrainConfig, plan: StagePlan) -> None:
        """Record in ``config.json`` that media were mended since the run stopped at one, where they were."""
        if self._recorded().get("fingerprint") != plan.fingerprint:
            self._record(config, plan)

    def _record(self, config: TrainConfig, plan: StagePlan) -> None:
        write_json(
            self._config,
            {
                "command": "train",
                "parameters": config.model_dump(mode="json", exclude_none=True),
                "fingerprint": plan.fingerprint,
                "fingerprint_but_media": _but_media(plan),
                "libraries": plan.provenance().libraries,
            },
        )

    def _is_run(self) -> bool:
        """Whether the folder's ``config.json`` is one that a run wrote."""
        return self._recorded().get("command") == "train"

    def _recorded(self) -> dict[str, Any]:
        """What ``config.json`` says; nothing where there is none, or it isn't one of ours."""
        try:
            recorded = read_json(self._config) if self._config.is_file() else {}
        except InputError:
            recorded = {}
        return recorded if isinstance(recorded, dict) and isinstance(recorded.get("parameters"), dict) else {}

    def _has_to_make_way(self) -> bool:
        """Whether something is here, or half moved already, that a new run must not delete."""
        # Both come last. Somebody may have removed the one; the other has this name in a complete run alone.
        was_complete = self.metrics.exists() or self.best.exists()
        if was_complete or _holds_anything(self._making_way):
            return True
        return not self._is_run() and any((self.path / name).exists() for name in _FILES)

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
        for path in self._checkpoints.glob(_RESTS):
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
        raise InputError(f"{self.path}: none of its checkpoints is intact; --force starts over")

    def finish(self, best_epoch: int) -> None:
        """Leave of a complete run's checkpoints the best weights, under one name, and nothing that a kill left over."""
        best = self._checkpoints / f"best-{best_epoch:06d}.safetensors"
        with contextlib.suppress(FileNotFoundError):  # it has its name already, or another process gives it now
            best.replace(self.best)
        for path in [*self.checkpoints(), *self._checkpoints.glob("best-*.safetensors")]:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it isn't there, as a rule; or holds the run of before, which stays
            self._making_way.rmdir()
        self._remove_rests()

    def _remove_rests(self) -> None:
        for rest in self.path.glob(_RESTS):
            _remove(rest)

    def _difference(self, plan: StagePlan, config: TrainConfig) -> str | None:
        """How this run differs from the one in the folder; None if it doesn't, or mended what that one stopped at."""
        recorded = self._recorded()
        if recorded.get("fingerprint") == plan.fingerprint:
            return None
        only_media_changed = recorded.get("fingerprint_but_media") == _but_media(plan)
        if only_media_changed and self._stopped_at_media():
            return None
        return config.differences(recorded["parameters"]) or "its input files, or mmts, changed"

    def _stopped_at_media(self) -> bool:
        """Whether the run stopped because media could not be decoded, by its newest checkpoint that can be read."""
        for path in self.checkpoints():
            with contextlib.suppress(InputError):
                return bool(read_extra(path).get(MENDABLE))
        return False


def _but_media(plan: StagePlan) -> str:
    return plan.fingerprint_but(plan.foreign, ("media_places",))


def _holds_anything(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _remove(path: Path) -> None:
    """Remove a file or a folder, where there is one."""
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    else:
        path.unlink(missing_ok=True)
