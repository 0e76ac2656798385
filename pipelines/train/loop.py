"""The training loop, from one optimizer step to the next."""

import dataclasses
import math
import time

import torch

from pipelines.artifacts import Provenance
from pipelines.errors import InputError, Interrupted
from pipelines.progress import Progress
from pipelines.train.checkpoint import write_checkpoint
from pipelines.train.folder import RunFolder
from pipelines.train.interrupt import StopRequest, stop_requests
from pipelines.train.session import Batch, Session
from pipelines.train.state import RunState, capture
from pipelines.train.step import StepRecord, take_step
from pipelines.train.steps import StepLog
from pipelines.train.validation import validate

_NOTHING, _CHECKPOINT, _STOP = 0, 1, 2
_SKIPPED_STEPS = 50  # in a row, until float16's scale is given up


def run_epochs(
    session: Session, state: RunState, folder: RunFolder, log: StepLog, provenance: Provenance, progress: Progress
) -> None:
    """Train from where a run is to its end; ``state`` and ``log`` grow with it.

    Args:
        session: What is trained, launched.
        state: Where the run is.
        folder: Where checkpoints and the record of the steps go.
        log: The record so far.
        provenance: What the run is a run of.
        progress: Where to report.

    Raises:
        InputError: The loss or its gradient is not finite, or too many media are damaged.
        Interrupted: The run was asked to stop; what it needs to go on is written.
    """
    config = session.config
    writer = _Writer(session, state, folder, log, provenance)
    left = session.total_steps - state.step
    label = "training" if state.step == 0 else f"training on from step {state.step:,}"
    with stop_requests() as request, progress.task(label, left * session.sampler.batch_size, "samples") as task:
        while state.epochs_done < config.epochs and not _is_patience_over(session, state):
            epoch = state.epochs_done + 1
            session.trainable.model.train()
            for batch in session.batches(epoch, first=state.step - state.epochs_done * session.sampler.steps):
                record = take_step(session, batch, state.step)
                _require_finite(session, state, batch, record, log, folder)
                log.add(step=state.step, epoch=epoch, **dataclasses.asdict(record))
                state.step += 1
                task.advance(session.sampler.batch_size, _note(epoch, record, session, state))
                writer.after_step(request)
            if session.validation is not None and (epoch % config.val_every == 0 or epoch == config.epochs):
                _validate(session, state, folder, epoch)
            state.epochs_done = epoch
    if session.validation is None:
        state.best_epoch = state.epochs_done
        _keep_best(session, state, folder)


class _Writer:
    """Decides after each step, the same on every process, what is written and whether the run stops."""

    def __init__(
        self, session: Session, state: RunState, folder: RunFolder, log: StepLog, provenance: Provenance
    ) -> None:
        self.session, self.state, self.folder, self.log = session, state, folder, log
        self.fingerprint = provenance.fingerprint
        self.unfinished = dataclasses.replace(provenance, fingerprint="unfinished")
        self.last = time.monotonic()

    def after_step(self, request: StopRequest) -> None:
        """Write what is due; raises Interrupted where the run was asked to stop."""
        fabric = self.session.fabric
        if fabric.is_global_zero:
            self.log.write_if_due(self.folder.steps, self.unfinished)
        due = self._due(request)
        if fabric.world_size > 1:
            shared = torch.tensor(due, device=fabric.device)
            fabric.all_reduce(shared, reduce_op="max")  # in place
            due = int(shared)
        if due >= _CHECKPOINT:
            self.checkpoint()
        if due == _STOP:
            raise Interrupted(
                f"stopped at step {self.state.step:,} of {self.session.total_steps:,}, which is kept; go on with "
                "the same command and --resume"
            )

    def checkpoint(self) -> None:
        """Write the steps, then a checkpoint: the record on disk is never behind it."""
        session = self.session
        found = capture(session.trainable, session.optimizer, self.state, session.fabric, self.fingerprint)
        if session.fabric.is_global_zero:
            self.log.write(self.folder.steps, self.unfinished, {})
            self.folder.save(found)
        self.last = time.monotonic()

    def _due(self, request: StopRequest) -> int:
        config = self.session.config
        if request.signal is not None:
            return _STOP
        if config.checkpoint_steps is not None and self.state.step % config.checkpoint_steps == 0:
            return _CHECKPOINT
        minutes = (time.monotonic() - self.last) / 60
        return _CHECKPOINT if minutes >= config.checkpoint_minutes else _NOTHING


def _validate(session: Session, state: RunState, folder: RunFolder, epoch: int) -> None:
    """Score the model, and keep it if it is the best so far."""
    scores = validate(session)
    state.validations.append({"epoch": epoch, **scores})
    metric = session.config.metric
    if metric not in scores:
        raise InputError(f"--metric {metric}: is no score of the validation; choose one of {', '.join(scores)}")
    earlier = [each[metric] for each in state.validations[:-1]]
    if all(scores[metric] > each for each in earlier):
        state.best_epoch = epoch
        _keep_best(session, state, folder)


def _keep_best(session: Session, state: RunState, folder: RunFolder) -> None:
    weights = session.trainable.weights()
    if session.fabric.is_global_zero:
        progress = {"epoch": state.best_epoch, "steps": state.step}
        write_checkpoint(folder.best, dataclasses.replace(weights, extra={**weights.extra, "progress": progress}))


def _is_patience_over(session: Session, state: RunState) -> bool:
    patience = session.config.patience
    if patience is None or not state.validations:
        return False
    return sum(each["epoch"] > state.best_epoch for each in state.validations) >= patience


def _require_finite(
    session: Session, state: RunState, batch: Batch, record: StepRecord, log: StepLog, folder: RunFolder
) -> None:
    """Stop a run whose loss, or its gradient, is no number any more.

    Where gradients are scaled an infinite one is skipped and the scale lowered; many in a row are a fault all the same.
    """
    if math.isfinite(record.loss) and math.isfinite(record.gradient_norm):
        return
    if math.isfinite(record.loss) and session.scales_gradients:
        before = log.columns["gradient_norm"][-_SKIPPED_STEPS:]
        if len(before) < _SKIPPED_STEPS or any(math.isfinite(norm) for norm in before):
            return
    lost_loss = not math.isfinite(record.loss)
    what = f"loss is {record.loss}" if lost_loss else f"gradient's norm is {record.gradient_norm}"
    ids = [session.training.sample_ids[row] for row in batch.all_sample_rows.tolist()]
    kept = [*folder.checkpoints(), *([folder.best] if folder.best.exists() else [])]
    where = f"the last good checkpoint is {kept[0]}" if kept else "no checkpoint was written yet"
    raise InputError(
        f"the {what} at step {state.step}, in a batch of {len(ids)} samples that begins with {', '.join(ids[:3])}; "
        f"{where}; lower --lr or raise the temperature"
    )


def _note(epoch: int, record: StepRecord, session: Session, state: RunState) -> str:
    config = session.config
    band = f"{record.temperature_min:.3g}..{record.temperature_max:.3g}"
    quantity = "temperature" if config.loss == "infonce" else "margin"
    score = f" {config.metric} {state.validations[-1][config.metric]:.1f}" if state.validations else ""
    return f"epoch {epoch}/{config.epochs} loss {record.loss:.4f} {quantity} {band}{score}"
