"""The training loop, from one optimizer step to the next."""

from typing import Protocol

from pipelines.contrast import LOSSES
from pipelines.errors import InputError
from pipelines.progress import Progress
from pipelines.train.batches import epoch_batches
from pipelines.train.interrupt import StopRequest, stop_requests
from pipelines.train.session import Session
from pipelines.train.state import RunState
from pipelines.train.step import StepRecord, TakenStep, take_step
from pipelines.train.validation import validate


class Followed(Protocol):
    """What is told of a run as it goes: `Record`, which fills a folder, or another."""

    newest: StepRecord | None

    def step(self, epoch: int, taken: TakenStep) -> None:
        """After a step."""

    def write_what_is_due(self, request: StopRequest) -> None:
        """After a step, once it is counted."""

    def read_figures(self) -> None:
        """Before a validation."""

    def stop_if_asked(self, request: StopRequest) -> None:
        """Now and then in a validation."""

    def validation(self, scores: dict[str, float], *, best: bool) -> None:
        """After a validation."""

    def keep_best(self) -> None:
        """At the end of a run without validation."""


def run_epochs(session: Session, state: RunState, record: Followed, progress: Progress) -> None:
    """Train from where a run is to its end; ``state`` and ``record`` grow with it.

    Args:
        session: What is trained, launched.
        state: Where the run is.
        record: What it leaves.
        progress: Where to report.

    Raises:
        InputError: The loss or its gradient is not finite, or too many media are damaged.
        Interrupted: The run was asked to stop; what it needs to go on is written.
    """
    config = session.config
    left = session.total_steps - state.step
    label = "training" if state.step == 0 else f"training on from step {state.step:,}"
    with stop_requests() as request, progress.task(label, left * session.sampler.batch_size, "samples") as task:
        while state.epochs_done < config.epochs and not _is_patience_over(session, state):
            epoch = state.epochs_done + 1
            session.trainable.model.train()
            for batch in epoch_batches(session, epoch, first=state.step - state.epochs_done * session.sampler.steps):
                record.step(epoch, take_step(session, batch, state.step))
                state.step += 1
                record.write_what_is_due(request)
                task.advance(session.sampler.batch_size, _note(epoch, record, session, state))
            record.read_figures()
            if session.validation is not None and (epoch % config.val_every == 0 or epoch == config.epochs):
                _validate(session, state, record, epoch, request)
            state.epochs_done = epoch
    if session.validation is None:
        state.best_epoch = state.epochs_done
        record.keep_best()


def _validate(session: Session, state: RunState, record: Followed, epoch: int, request: StopRequest) -> None:
    """Score the model, and keep it if it is the best so far.

    Raises:
        Interrupted: The run was asked to stop meanwhile.
    """
    found = validate(session, between=lambda: record.stop_if_asked(request))
    scores = session.fabric.broadcast(found)  # one process decides for all
    metric = session.config.metric
    if metric not in scores:
        raise InputError(f"--metric {metric}: no query of the validation split is in that third; choose another score")
    best = all(scores[metric] > earlier[metric] for earlier in state.validations)
    state.validations.append({"epoch": epoch, **scores})
    if best:
        state.best_epoch = epoch
    record.validation(scores, best=best)


def _is_patience_over(session: Session, state: RunState) -> bool:
    patience = session.config.patience
    if patience is None:
        return False
    return sum(each["epoch"] > state.best_epoch for each in state.validations) >= patience


def _note(epoch: int, record: Followed, session: Session, state: RunState) -> str:
    config, taken = session.config, record.newest
    if taken is None:
        return f"epoch {epoch}/{config.epochs}"
    band = f"{taken.temperature_min:.3g}..{taken.temperature_max:.3g}"
    quantity = LOSSES[config.loss].quantity
    score = f" {config.metric} {state.validations[-1][config.metric]:.1f}" if state.validations else ""
    return f"epoch {epoch}/{config.epochs} loss {taken.loss:.4f} {quantity} {band}{score}"
