"""Entry point of ``train``: check everything, run the loop, keep the best epoch."""

from collections.abc import Mapping
from typing import Any

from pipelines.artifacts import StagePlan, frequency_file
from pipelines.artifacts.files import finish_files, require_folder, write_json
from pipelines.artifacts.needs import announce
from pipelines.artifacts.writers import removing_new_folders, sole_writer, writing
from pipelines.contrast import STRATEGIES
from pipelines.errors import InputError
from pipelines.media import BadMediaError, linked_parameters, media_inputs
from pipelines.model_files import MODEL_DIGEST, model_identity
from pipelines.models import save_model
from pipelines.progress import SILENT, Progress
from pipelines.train.checkpoint import Checkpoint, read_checkpoint
from pipelines.train.config import TrainConfig
from pipelines.train.data import needs_of
from pipelines.train.figures import NotFiniteError
from pipelines.train.folder import METRICS_DIGEST, RunFolder, content_digest
from pipelines.train.launch import make_fabric
from pipelines.train.loggers import Logger, open_loggers, require_loggers
from pipelines.train.loop import run_epochs
from pipelines.train.record import Record
from pipelines.train.result import RunResult
from pipelines.train.session import Session
from pipelines.train.state import RunState, restore
from pipelines.train.steps import StepLog, read_steps
from pipelines.train.validation import require_whole


def train(config: TrainConfig, *, resume: bool = False, force: bool = False, progress: Progress = SILENT) -> RunResult:
    """Train a dual encoder and write a run folder.

    The folder holds ``config.json`` (can be fed back), ``steps.parquet`` (written while training runs, with provenance
    once the run is complete), ``checkpoints/`` (the best epoch's weights; until the run is complete also what it needs
    to go on), ``model/`` (the best epoch's model) and ``metrics.json`` (the scores of each validation).

    With ``config.devices`` above 1, in a process that torchrun or SLURM hasn't started, the running script is started
    again for the other processes, so call this from a script or the command line, not from a notebook.

    Args:
        config: The settings.
        resume: Continue the unfinished run in the folder, or start one.
        force: Train even if the run is up to date, or the folder holds an unfinished run, two complete
            ones, or other files.
        progress: Where to report.

    Returns:
        The summary has ``steps``, ``best_epoch``, ``validation`` (scores of that epoch), ``temperature_settings`` (the
        numbers of the temperature strategy, defaults included), and the range of temperatures (or margins) there was.

    Raises:
        InputError: A file or setting can't be used, all of it before the first step; or the loss or its gradient
            is not finite.
        Interrupted: SIGTERM or SIGINT asked the run to stop; a checkpoint was written.
    """
    # Folders go again where something is refused before the run begins.
    with removing_new_folders(config.output), sole_writer(config.output), writing(config.output):
        return _train(config, resume=resume, force=force, progress=progress)


def _train(config: TrainConfig, *, resume: bool, force: bool, progress: Progress) -> RunResult:
    folder = RunFolder(config.output)
    plan = train_plan(config)
    found = folder.open(plan, config, resume=resume, force=force)
    if isinstance(found, RunResult):
        folder.finish(found.summary["best_epoch"])
        return found
    fabric = make_fabric(
        device=config.device,
        devices=config.devices,
        nodes=config.nodes,
        parallel=config.parallel,
        precision=config.precision,
    )
    require_loggers(config)
    announce(progress.note, needs_of(config), config.output)
    session = Session(config)
    require_whole(session, progress)
    fabric.launch()  # from here on there may be other processes
    session.launch(fabric)
    state, log = _start(session, folder, found)
    session.bad_media = state.bad_media
    left_out = session.sampler.left_out
    if left_out and fabric.is_global_zero:
        progress.note(f"--reshuffle once: {left_out} media fill no whole batch in any epoch and are never trained on")

    def begin() -> list[Logger]:
        if not fabric.is_global_zero:
            return []
        if found is None:
            folder.start(config, plan)
        else:
            folder.go_on(config, plan)
        return open_loggers(config, state)

    record = Record(session, state, folder, log, plan.provenance(), begin)
    try:
        run_epochs(session, state, record, progress)
    except NotFiniteError:
        raise
    except InputError as error:
        if record.keep_last_step(mendable=isinstance(error, BadMediaError)):
            progress.note(f"step {state.step:,} is kept, from which --resume goes on")
        raise
    finally:
        for logger in record.loggers:
            logger.close()
    summary = _summarise(state, session.strategy.settings)
    if fabric.is_global_zero:
        best = session.best_model(read_checkpoint(folder.best_of(state.best_epoch)))
        summary[MODEL_DIGEST] = save_model(best, folder.model)
        finish_files(folder.model)
        metrics = {
            "best_epoch": state.best_epoch,
            "validation": state.validations,
            **({"bad_media": state.bad_media} if state.bad_media else {}),
        }
        summary[METRICS_DIGEST] = content_digest(metrics)
        log.write(folder.steps, plan.provenance(), summary)
        write_json(folder.metrics, metrics)  # last of all: it is what says that the run is complete
        folder.finish(state.best_epoch)
    fabric.barrier()
    return RunResult(config.output, False, summary)


def train_plan(config: TrainConfig) -> StagePlan:
    """What a run is a run of: its settings, and the contents of its files."""
    require_folder(config.output)
    media = media_inputs(config.media_path)
    joined = {name: getattr(config, name) for name in ("text", "shifts", "clusters")}
    frequency = None if config.frequency is None else frequency_file(config.frequency, config.annotations)
    roles = {"annotations": config.annotations, **media, **joined, "frequency": frequency}
    inputs = {role: path for role, path in roles.items() if path is not None}
    recipe = config.recipe()
    for role, model in (("media_model", config.media_model), ("text_model", config.text_model)):
        if model is not None:
            recipe[role] = model_identity(model)
    if config.frequency is not None and frequency is None:
        recipe["frequency"] = config.frequency  # a column, also where a file happens to have its name
    if config.trust_remote_code:
        recipe["trust_remote_code"] = True
    return StagePlan(
        "train",
        config.output / "steps.parquet",
        recipe | linked_parameters(config.media_path, config.annotations),
        inputs,
        seed=config.seed,
        libraries=("torch", "transformers", "safetensors", "pyarrow"),
        foreign=tuple(media),
        results=_results(config),
    )


def _results(config: TrainConfig) -> int:
    """The number of a run's results, see `StagePlan`: that of the last change that concerns it."""
    default_alpha = config.alpha is None
    takes_alpha = "alpha" in STRATEGIES[config.temperature].options
    if config.media_model is not None or config.text_model is not None:
        # Large frames are scaled before their colours are converted; positions and class tokens have no weight decay.
        return 3
    # 2: TempNet as published; a default alpha that fits the shifts.
    return 2 if config.temperature == "tempnet" or (takes_alpha and default_alpha) else 1


def _start(session: Session, folder: RunFolder, checkpoint: Checkpoint | None) -> tuple[RunState, StepLog]:
    """Where the run starts: at its first step, or where a checkpoint was written."""
    if checkpoint is None:
        return RunState(), StepLog()
    state = restore(checkpoint, session.trainable, session.optimizer.optimizer, session.fabric)
    return state, read_steps(folder.steps, state.step)


def _summarise(state: RunState, temperature_settings: Mapping[str, float]) -> dict[str, Any]:
    best = [each for each in state.validations if each["epoch"] == state.best_epoch]
    return {
        "steps": state.step,
        "epochs": state.epochs_done,
        "best_epoch": state.best_epoch,
        "validation": best[0] if best else None,
        "temperature_settings": dict(temperature_settings),
        "temperature_min": state.temperature_min,
        "temperature_max": state.temperature_max,
        "final_loss": state.final_loss,
    }
