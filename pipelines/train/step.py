"""One optimizer step."""

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipelines.train.backward import backward
from pipelines.train.batches import Batch, micro_batches
from pipelines.train.optimizer import gradient_norm, learning_rate, set_learning_rate
from pipelines.train.session import Session


@dataclass(frozen=True)
class StepRecord:
    """What a step did: the columns of ``steps.parquet`` but ``step`` and ``epoch``."""

    loss: float
    learning_rate: float
    temperature_min: float
    temperature_mean: float
    temperature_max: float
    gradient_norm: float


def take_step(session: Session, batch: Batch, step: int) -> StepRecord:
    """Take one optimizer step, unless the loss or its gradient is not finite.

    Every process calls it with its part of the batch, and returns the record of the whole batch.

    Args:
        session: Model, strategy and optimizer.
        batch: This process's part of the batch.
        step: Optimizer steps done, from 0.
    """
    config, fabric, device = session.config, session.fabric, session.fabric.device
    rate = learning_rate(
        step,
        highest=config.lr,
        lowest=config.min_lr,
        warmup_steps=config.warmup_steps(session.sampler.steps),
        total_steps=session.total_steps,
    )
    set_learning_rate(session.optimizer, rate)
    session.optimizer.zero_grad(set_to_none=True)
    contrast = partial(
        session.strategy,
        step=step,
        shift_n=session.shifts_of(batch.sample_rows),
        sample_n=batch.sample_rows.to(device),
    )

    def embed(part: Batch) -> tuple[Tensor, Tensor]:
        text = session.text_inputs(session.training, part.text_rows)
        media_nd, text_nd = session.model(part.media.to(device), text)
        return media_nd, text_nd

    output = backward(
        embed,
        contrast,
        batch.split(micro_batches(session, batch)),
        push=fabric.backward,
        no_sync=lambda: fabric.no_backward_sync(session.model),
    )
    average_gradients(session.strategy, fabric.world_size)
    # The optimizer itself, as the scaler sees it when it steps: a wrapper would have its gradients unscaled again.
    fabric.strategy.precision.unscale_gradients(session.optimizer.optimizer)
    norm = gradient_norm(session.parameters, config.max_grad_norm)
    temperature_n = session.of_all(output.temperature_n, len(batch.all_sample_rows))
    figures = [output.loss.detach(), norm, temperature_n.min(), temperature_n.mean(), temperature_n.max()]
    loss, norm_value, lowest, mean, highest = torch.stack([each.float() for each in figures]).tolist()
    # With a gradient scaler an infinite gradient is not an error: it skips the step and lowers the scale.
    if math.isfinite(loss) and (math.isfinite(norm_value) or session.scales_gradients):
        session.optimizer.step()
    return StepRecord(loss, rate, lowest, mean, highest, norm_value)


def average_gradients(module: nn.Module, world_size: int) -> None:
    """Average over processes the gradients of a module that no wrapper looks after."""
    if world_size == 1:
        return
    for parameter in module.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world_size
