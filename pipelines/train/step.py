"""One optimizer step."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class TakenStep:
    """A step whose figures may not be computed yet: asking for them would make the host wait for the device.

    Attributes:
        step: Optimizer steps done before it.
        learning_rate: Its learning rate.
        figures: Loss, norm of the gradient, lowest, mean and highest temperature ``[5]``, on the device.
        sample_rows: Rows of the samples of the whole batch.
    """

    step: int
    learning_rate: float
    figures: Tensor
    sample_rows: Tensor


def fetch(taken: Sequence[TakenStep]) -> list[StepRecord]:
    """The records of some steps, read from the device together."""
    return [
        StepRecord(loss, each.learning_rate, lowest, mean, highest, norm)
        for each, (loss, norm, lowest, mean, highest) in zip(
            taken, torch.stack([each.figures for each in taken]).tolist(), strict=True
        )
    ]


def take_step(session: Session, batch: Batch, step: int) -> TakenStep:
    """Take one optimizer step, without waiting for the device.

    Every process calls it with its part of the batch, and returns the figures of the whole batch. A step whose loss or
    gradient is not finite spoils the weights; `Record` finds it before anything of them is written.

    Args:
        session: Model, strategy and optimizer.
        batch: This process's part of the batch.
        step: Optimizer steps done, from 0.
    """
    config, fabric = session.config, session.fabric
    rate = learning_rate(
        step,
        highest=config.lr,
        lowest=config.min_lr,
        warmup_steps=config.warmup_steps(session.sampler.steps),
        total_steps=session.total_steps,
        first=config.warmup_lr,
    )
    set_learning_rate(session.optimizer, rate)
    session.optimizer.zero_grad(set_to_none=True)
    contrast = partial(
        session.strategy,
        step=step,
        shift_n=session.shifts_of(batch.sample_rows),
        sample_n=session.on_device(batch.sample_rows),
        **session.pair_info(batch.text_rows, batch.sample_rows),
    )

    def embed(part: Batch) -> tuple[Tensor, Tensor]:
        text = session.text_inputs(session.training, part.text_rows)
        media_nd, text_nd = session.model(session.on_device(part.media), text)
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
    figures = [output.loss, norm, temperature_n.min(), temperature_n.mean(), temperature_n.max()]
    session.optimizer.step()
    return TakenStep(step, rate, torch.stack([each.detach().float() for each in figures]), batch.all_sample_rows)


def average_gradients(module: nn.Module, world_size: int) -> None:
    """Average over processes the gradients of a module that no wrapper looks after."""
    if world_size == 1:
        return
    for parameter in module.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world_size
