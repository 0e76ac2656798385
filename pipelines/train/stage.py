"""Entry point of ``train``: read the files, check everything, run the loop, keep the best epoch."""

import dataclasses
import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines.artifacts import StagePlan, StageResult, read_annotations, read_vectors, rows_of_split
from pipelines.artifacts.files import require_folder, write_json
from pipelines.contrast import Strategy, make_strategy
from pipelines.errors import InputError
from pipelines.media import FeatureMedia
from pipelines.models import DualEncoder, choose_device, save_model
from pipelines.models.vision import load_vision_tower
from pipelines.progress import SILENT, Progress
from pipelines.train.backward import backward
from pipelines.train.checkpoint import load_checkpoint, save_checkpoint
from pipelines.train.config import TrainConfig
from pipelines.train.data import EpochSampler, PairedData, pair_up
from pipelines.train.optimizer import gradient_norm, learning_rate, parameter_groups, set_learning_rate
from pipelines.train.steps import StepLog
from pipelines.train.validation import validate


def train(config: TrainConfig, *, force: bool = False, progress: Progress = SILENT) -> StageResult:
    """Train a dual encoder and write a run folder.

    The folder holds ``config.json`` (can be fed back), ``steps.parquet`` (written after each epoch, with provenance
    once the run is complete), ``checkpoints/best.safetensors``, ``model/`` (the best epoch's weights) and
    ``metrics.json`` (validation of each epoch).

    Args:
        config: The settings.
        force: Train even if the run is up to date, or the folder isn't a run's.
        progress: Where to report.

    Returns:
        The summary has ``steps``, ``best_epoch``, ``validation`` (scores of that epoch), and the range of temperatures
        (or margins) that was used.

    Raises:
        InputError: A file or setting can't be used, all of it before the first step; or the loss or its gradient
            is not finite.
    """
    run = config.output
    plan = _plan(config)
    if run.is_dir() and any(run.iterdir()) and not (run / "config.json").exists() and not force:
        raise InputError(f"{run}: is a folder with files that are no run; use --force, or another output folder")
    complete = (run / "metrics.json").exists() and (run / "model").is_dir()
    if complete and (done := plan.finished(force=force)):
        return StageResult(run, True, done.summary)

    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    tower = None if config.media_model is None else load_vision_tower(config.media_model)
    training, validation = _read_data(config, None if tower is None else tower.image_size)
    sampler = EpochSampler(training.media_of_sample_n, config.batch_size, config.seed)
    total_steps = sampler.steps * config.epochs
    strategy = _strategy(config, training, total_steps).to(device)
    model = DualEncoder(
        training.media.dimension if isinstance(training.media, FeatureMedia) else _dimension(tower),
        training.text_nd.shape[1],
        config.dimension,
        config.head,
        tower,
    ).to(device)
    groups = [*parameter_groups(model, config.weight_decay), *strategy.parameter_groups()]
    optimizer = torch.optim.AdamW(groups, lr=config.lr)
    parameters = [parameter for group in groups for parameter in group["params"]]
    warmup_steps = round(config.warmup_epochs * sampler.steps)

    all_shifts = None if training.shifts is None else torch.from_numpy(training.shifts.shift_n)

    def embed(rows: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        media, text = training.media.batch(rows[0]), training.text_nd[rows[1]]
        return model.embed_media(media.to(device)), model.embed_text(text.to(device))

    _start_folder(run, config, plan)
    log = StepLog()
    epochs: list[dict[str, float]] = []
    best = run / "checkpoints" / "best.safetensors"
    best_epoch, step = 0, 0
    unfinished = dataclasses.replace(plan.provenance(), fingerprint="unfinished")
    with progress.task("training", total_steps, "steps") as task:
        for epoch in range(1, config.epochs + 1):
            model.train()
            for media_rows, sample_rows in sampler.epoch(epoch):
                rate = learning_rate(
                    step, highest=config.lr, lowest=config.min_lr, warmup_steps=warmup_steps, total_steps=total_steps
                )
                set_learning_rate(optimizer, rate)
                optimizer.zero_grad(set_to_none=True)
                shift_n = None if all_shifts is None else all_shifts[sample_rows].to(device)
                contrast = partial(strategy, step=step, shift_n=shift_n, sample_n=sample_rows.to(device))
                output = backward(embed, contrast, (media_rows, sample_rows), config.micro_batch)
                loss = float(output.loss.detach())
                norm = gradient_norm(parameters, config.max_grad_norm)
                if not (math.isfinite(loss) and math.isfinite(norm)):
                    ids = [training.sample_ids[row] for row in sample_rows.tolist()]
                    raise _not_finite(loss, norm, step, ids, best)
                optimizer.step()
                log.add(
                    step=step,
                    epoch=epoch,
                    loss=loss,
                    learning_rate=rate,
                    temperature_n=output.temperature_n,
                    gradient_norm=norm,
                )
                step += 1
                task.advance(1, f"epoch {epoch}/{config.epochs} loss {loss:.4f}{_last(epochs)}")
            if validation is not None:
                epochs.append({"epoch": epoch, **validate(model, validation, device)})
            if validation is None or epochs[-1]["recall_sum"] > max([-1.0, *(e["recall_sum"] for e in epochs[:-1])]):
                best_epoch = epoch
                save_checkpoint(best, model, strategy, {"epoch": epoch, "steps": step})
            log.write(run / "steps.parquet", unfinished, {})

    load_checkpoint(best, model, strategy)
    save_model(model, run / "model")
    summary = {
        "steps": step,
        "epochs": config.epochs,
        "best_epoch": best_epoch,
        "validation": epochs[best_epoch - 1] if epochs else None,
        "temperature_min": min(log.columns["temperature_min"]),
        "temperature_max": max(log.columns["temperature_max"]),
        "final_loss": log.columns["loss"][-1],
    }
    write_json(run / "metrics.json", {"best_epoch": best_epoch, "validation": epochs})
    log.write(run / "steps.parquet", plan.provenance(), summary)
    return StageResult(run, False, summary)


def _plan(config: TrainConfig) -> StagePlan:
    require_folder(config.output)
    inputs = {"annotations": config.annotations, "media": config.media, "text": config.text}
    if config.shifts is not None:
        inputs["shifts"] = config.shifts
    if config.media_model is not None and Path(config.media_model).exists():
        inputs["media_model"] = Path(config.media_model)
    return StagePlan(
        "train",
        config.output / "steps.parquet",
        config.recipe(),
        inputs,
        seed=config.seed,
        libraries=("torch", "transformers", "safetensors", "pyarrow"),
        foreign=("media", "media_model"),
    )


def _read_data(config: TrainConfig, image_size: int | None) -> tuple[PairedData, PairedData | None]:
    table = read_annotations(config.annotations)
    text = read_vectors(config.text, id_column="sample_id")
    training_rows = rows_of_split(table, config.split, config.annotations)
    training = pair_up(training_rows, config.media, text, shifts=config.shifts, image_size=image_size)
    if config.val_split == "none" or "split" not in table.column_names:
        return training, None
    validation_rows = rows_of_split(table, config.val_split, config.annotations)
    return training, pair_up(validation_rows, config.media, text, shifts=None, image_size=image_size)


def _strategy(config: TrainConfig, training: PairedData, total_steps: int) -> Strategy:
    """The temperature strategy; settings that would not stay positive are refused here, before the first step."""
    return make_strategy(
        config.temperature,
        loss=config.loss,
        total_steps=total_steps,
        shift_range=None if training.shifts is None else training.shifts.range,
        sample_ids=training.sample_ids,
        embedding_size=config.dimension,
        **config.strategy_options(),
    )


def _dimension(tower: Any) -> int:
    return int(tower.dimension)


def _start_folder(run: Path, config: TrainConfig, plan: StagePlan) -> None:
    """Write ``config.json`` and remove what an earlier run left, so that nothing of it passes for this run's."""
    for name in ("metrics.json", "steps.parquet", "checkpoints/best.safetensors"):
        (run / name).unlink(missing_ok=True)
    write_json(
        run / "config.json",
        {
            "command": "train",
            "parameters": config.model_dump(mode="json", exclude_none=True),
            "fingerprint": plan.fingerprint,
            "libraries": plan.provenance().libraries,
        },
    )


def _not_finite(loss: float, norm: float, step: int, sample_ids: list[str], best: Path) -> InputError:
    what = f"gradient's norm is {norm}" if math.isfinite(loss) else f"loss is {loss}"
    kept = f"the last good checkpoint is {best}" if best.exists() else "no epoch was complete"
    return InputError(
        f"the {what} at step {step}, in a batch of {len(sample_ids)} samples that begins with "
        f"{', '.join(sample_ids[:3])}; {kept}; lower --lr or raise the temperature"
    )


def _last(epochs: list[dict[str, float]]) -> str:
    return f" val recall sum {epochs[-1]['recall_sum']:.1f}" if epochs else ""
