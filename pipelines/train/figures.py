"""The figures of a run's steps, read from the device a few steps at a time."""

import math

from pipelines.errors import InputError
from pipelines.train.session import Session
from pipelines.train.state import RunState
from pipelines.train.step import StepRecord, TakenStep, fetch

_SKIPPED_STEPS = 50  # in a row, until float16's scale is given up


class NotFiniteError(InputError):
    """The loss of a step, or its gradient, is no number any more."""


class Figures:
    """Follows the steps of a run.

    Args:
        session: What is trained.
        state: Where the run is.

    Attributes:
        newest: The newest step whose figures were read, None before the first.
    """

    def __init__(self, session: Session, state: RunState) -> None:
        self.session, self.state = session, state
        self.newest: StepRecord | None = None
        self._unread: list[tuple[int, TakenStep]] = []  # with their epochs
        self._skipped = 0

    def step(self, epoch: int, taken: TakenStep) -> None:
        """Take note of a step; its figures are read with those of others, every ``log_every`` steps."""
        self._unread.append((epoch, taken))

    def read_figures(self) -> None:
        """Read the figures of the steps so far from the device, all at once.

        Raises:
            NotFiniteError: The loss of a step, or its gradient, was not finite.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return
        for (epoch, taken), found in zip(unread, fetch([taken for _, taken in unread]), strict=True):
            self._require_finite(taken, found)
            self._add(taken.step, epoch, found)

    def read_what_is_due(self) -> None:
        """After a step: read figures where there are as many as ``log_every`` says."""
        if len(self._unread) >= self.session.config.log_every:
            self.read_figures()

    def _add(self, step: int, epoch: int, taken: StepRecord) -> None:
        """Take in the figures of a step."""
        state, self.newest = self.state, taken
        lowest, highest = state.temperature_min, state.temperature_max
        state.temperature_min = taken.temperature_min if lowest is None else min(lowest, taken.temperature_min)
        state.temperature_max = taken.temperature_max if highest is None else max(highest, taken.temperature_max)
        state.final_loss = taken.loss

    def _kept(self) -> str:
        """What is left of a run whose loss is no number any more, in words; empty where that is not of use."""
        return ""

    def _require_finite(self, taken: TakenStep, found: StepRecord) -> None:
        """Stop a run whose loss, or its gradient, is no longer a number.

        Where gradients are scaled an infinite one is skipped and the scale lowered; many in a row are a fault too.
        """
        if math.isfinite(found.loss) and math.isfinite(found.gradient_norm):
            self._skipped = 0
            return
        if math.isfinite(found.loss) and self.session.scales_gradients:
            self._skipped += 1
            if self._skipped <= _SKIPPED_STEPS:
                return
        lost_loss = not math.isfinite(found.loss)
        what = f"loss is {found.loss}" if lost_loss else f"gradient's norm is {found.gradient_norm}"
        ids = [self.session.training.sample_ids[row] for row in taken.sample_rows.tolist()]
        raise NotFiniteError(
            f"the {what} at step {taken.step}, in a batch of {len(ids)} samples starting with {', '.join(ids[:3])}; "
            f"{self._kept()}lower --lr or raise the temperature"
        )
