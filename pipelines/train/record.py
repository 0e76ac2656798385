"""What a run leaves while it runs: the record of its steps, checkpoints, the best weights, what loggers show."""

import dataclasses
import time
from collections.abc import Callable

import torch

from pipelines.artifacts import Provenance
from pipelines.errors import Interrupted
from pipelines.train.checkpoint import Checkpoint, write_checkpoint
from pipelines.train.figures import Figures
from pipelines.train.folder import MENDABLE, RunFolder
from pipelines.train.interrupt import StopRequest
from pipelines.train.loggers import Logger
from pipelines.train.session import Session
from pipelines.train.state import RunState, capture
from pipelines.train.step import StepRecord, TakenStep
from pipelines.train.steps import StepLog

_NOTHING, _CHECKPOINT, _STOP = 0, 1, 2


class Record(Figures):
    """Decides after each step, the same on every process, what is written; the first process writes.

    Args:
        session: What is trained, launched.
        state: Where the run is.
        folder: Where it goes.
        log: The steps so far.
        provenance: What the run is a run of.
        begin: Called once, when the first step is taken: makes the folder this run's, and opens what else numbers go
            to. A run that is refused earlier leaves the folder as it was.

    Attributes:
        loggers: Where numbers go as well.
    """

    def __init__(
        self,
        session: Session,
        state: RunState,
        folder: RunFolder,
        log: StepLog,
        provenance: Provenance,
        begin: Callable[[], list[Logger]],
    ) -> None:
        super().__init__(session, state)
        self.folder, self.log = folder, log
        self.loggers: list[Logger] = []
        self._begin: Callable[[], list[Logger]] | None = begin
        self._fingerprint = provenance.fingerprint
        self._unfinished = dataclasses.replace(provenance, fingerprint="unfinished")
        self._last_checkpoint = time.monotonic()

    def step(self, epoch: int, taken: TakenStep) -> None:
        """Record a step; its figures are read with those of others, every ``log_every`` steps."""
        if self._begin is not None:
            self.loggers, self._begin = self._begin(), None
        super().step(epoch, taken)

    def _add(self, step: int, epoch: int, taken: StepRecord) -> None:
        super()._add(step, epoch, taken)
        values = dataclasses.asdict(taken)
        self.log.add(step=step, epoch=epoch, **values)
        for logger in self.loggers:
            logger.log(values, step)

    def _kept(self) -> str:
        best = self.folder.best_of(self.state.best_epoch)
        kept = [*self.folder.checkpoints(), *([best] if best.exists() else [])]
        where = f"the last good checkpoint is {kept[0]}" if kept else "no checkpoint was written yet"
        return f"{where}; "

    def validation(self, scores: dict[str, float], *, best: bool) -> None:
        """Record the scores of a validation, and the weights if they are the best so far."""
        for logger in self.loggers:
            logger.log({f"validation/{name}": value for name, value in scores.items()}, self.state.step)
        if best:
            self.keep_best()

    def keep_best(self) -> None:
        """Write the weights as the best so far; every process must call it."""
        weights = self.session.trainable.weights()
        if self.session.fabric.is_global_zero:
            progress = {"epoch": self.state.best_epoch, "steps": self.state.step}
            write_checkpoint(
                self.folder.best_of(self.state.best_epoch), Checkpoint(weights.tensors, {"progress": progress})
            )
            self.folder.prune(self.state.best_epoch)

    def write_what_is_due(self, request: StopRequest) -> None:
        """After a step: the steps every few seconds, a checkpoint every so many steps or minutes.

        Raises:
            InputError: The loss of a step, or its gradient, was not finite.
            Interrupted: The run was asked to stop; a checkpoint is written.
        """
        self.read_what_is_due()
        if self.session.fabric.is_global_zero:
            self.log.write_if_due(self.folder.steps, self._unfinished)
        due = self._agreed(self._due(request))
        if due == _CHECKPOINT:
            self._write_checkpoint()
        self._stop_if(due == _STOP)

    def stop_if_asked(self, request: StopRequest) -> None:
        """Between steps, in a validation; every process must call it.

        Raises:
            Interrupted: The run was asked to stop; a checkpoint is written, from which the validation starts anew.
        """
        self._stop_if(self._agreed(_NOTHING if request.signal is None else _STOP) == _STOP)

    def keep_last_step(self, *, mendable: bool) -> bool:
        """Write a checkpoint where an error ends the run between steps, and say whether there is one.

        Of several processes the others may be elsewhere, so that only the checkpoints that were due are left.

        Args:
            mendable: Whether the error is one of media, so that they may have changed when the run goes on.
        """
        if self._begin is not None or self.session.fabric.world_size > 1:
            return False
        self._write_checkpoint(mendable=mendable)
        return True

    def _agreed(self, due: int) -> int:
        """The most that is due on any process."""
        fabric = self.session.fabric
        if fabric.world_size == 1:
            return due
        shared = torch.tensor(due, device=fabric.device)
        fabric.all_reduce(shared, reduce_op="max")  # in place
        return int(shared)

    def _stop_if(self, asked: bool) -> None:
        if asked:
            self._write_checkpoint()
            raise Interrupted(
                f"stopped at step {self.state.step:,} of {self.session.total_steps:,}, which is kept; go on with the "
                "same command and --resume"
            )

    def _write_checkpoint(self, *, mendable: bool = False) -> None:
        self.read_figures()  # nothing of a step that was not finite is kept
        session = self.session
        found = capture(session.trainable, session.optimizer, self.state, session.fabric, self._fingerprint)
        if session.fabric.is_global_zero:
            self.log.write(self.folder.steps, self._unfinished, {})  # first, so that it is never behind a checkpoint
            self.folder.save(Checkpoint(found.tensors, {**found.extra, MENDABLE: mendable}))
        session.fabric.barrier()  # who ends before it is written would take the first process along
        self._last_checkpoint = time.monotonic()

    def _due(self, request: StopRequest) -> int:
        config = self.session.config
        if request.signal is not None:
            return _STOP
        if config.checkpoint_steps is not None and self.state.step % config.checkpoint_steps == 0:
            return _CHECKPOINT
        minutes = (time.monotonic() - self._last_checkpoint) / 60
        return _CHECKPOINT if minutes >= config.checkpoint_minutes else _NOTHING
