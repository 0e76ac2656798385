"""Training that leaves a model and no folder: what a sweep does many times over the same data."""

from torch import Tensor

from pipelines.errors import Interrupted
from pipelines.progress import SILENT
from pipelines.train.config import TrainConfig
from pipelines.train.data import RunFiles
from pipelines.train.figures import Figures
from pipelines.train.interrupt import StopRequest
from pipelines.train.launch import make_fabric
from pipelines.train.loop import run_epochs
from pipelines.train.session import Session
from pipelines.train.state import RunState


def train_in_memory(config: TrainConfig, files: RunFiles) -> tuple[Session, RunState]:
    """Train as `train` does, to the same weights, without a run folder.

    Args:
        config: The settings; one process on one device.
        files: The files that they name, read.

    Returns:
        The session, whose model has the weights of the best epoch, and what became of the run.

    Raises:
        InputError: A setting can't be used.
        NotFiniteError: The loss or its gradient is not finite.
        Interrupted: SIGTERM or SIGINT asked it to stop.
    """
    fabric = make_fabric(device=config.device, devices=1, nodes=1, parallel="auto", precision=config.precision)
    session = Session(config, files)
    fabric.launch()
    session.launch(fabric)
    state = RunState()
    session.bad_media = state.bad_media
    kept = _Kept(session, state)
    run_epochs(session, state, kept, SILENT)
    session.encoder.load_state_dict(kept.best)
    return session, state


class _Kept(Figures):
    """Keeps the best weights, and nothing else.

    Attributes:
        best: Weights of the model at the best epoch.
    """

    def __init__(self, session: Session, state: RunState) -> None:
        super().__init__(session, state)
        self.best: dict[str, Tensor] = {}

    def validation(self, scores: dict[str, float], *, best: bool) -> None:
        """Keep the weights if they are the best so far."""
        if best:
            self.keep_best()

    def keep_best(self) -> None:
        """Keep the weights as the best so far."""
        self.best = {name: value.detach().clone() for name, value in self.session.encoder.state_dict().items()}

    def write_what_is_due(self, request: StopRequest) -> None:
        """After a step.

        Raises:
            NotFiniteError: The loss of a step, or its gradient, was not finite.
            Interrupted: The run was asked to stop.
        """
        self.read_what_is_due()
        self.stop_if_asked(request)

    def stop_if_asked(self, request: StopRequest) -> None:
        """Between steps, in a validation.

        Raises:
            Interrupted: The run was asked to stop.
        """
        if request.signal is not None:
            raise Interrupted("stopped in the middle of a run, which starts anew with the same command")
