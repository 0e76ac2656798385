"""Everything a run works with: read, checked and built before its first step."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from pipelines.artifacts import read_annotations, read_vectors, rows_of_split
from pipelines.contrast import Processes, Strategy, make_strategy
from pipelines.media import FeatureMedia
from pipelines.models import DualEncoder
from pipelines.models.vision import VisionTower, load_vision_tower
from pipelines.train.checkpoint import Checkpoint
from pipelines.train.config import TrainConfig
from pipelines.train.data import EpochSampler, PairedData, pair_up
from pipelines.train.optimizer import parameter_groups
from pipelines.train.positives import DEFAULT_MIN_RELEVANCY, RelevantCaptions, read_relevant_captions
from pipelines.train.state import Trainable

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Batch:
    """This process's part of a batch.

    Attributes:
        media: Inputs of the media tower ``[n, ...]``, on the CPU.
        text_rows: Rows of the captions ``[n]``.
        sample_rows: Rows of the samples whose shift and state count ``[n]``.
        all_sample_rows: The same of the whole batch, for messages.
    """

    media: Tensor
    text_rows: Tensor
    sample_rows: Tensor
    all_sample_rows: Tensor

    def split(self, rows: int | None) -> list["Batch"]:
        """This part in micro-batches of at most ``rows`` pairs; whole if None."""
        if rows is None:
            return [self]
        parts = [slice(start, start + rows) for start in range(0, len(self.media), rows)]
        return [
            Batch(self.media[part], self.text_rows[part], self.sample_rows[part], self.all_sample_rows)
            for part in parts
        ]


class Session:
    """The data, the model and the strategy of a run; ``launch`` puts them on devices.

    Args:
        config: The settings.

    Attributes:
        training: What is trained on.
        validation: What the best epoch is chosen by, None for nothing.
        sampler: The order of the epochs.
        total_steps: Optimizer steps of the whole run.
        trainable: Model and strategy, unwrapped.
        fabric: The processes, after ``launch``.
        model: The model as Fabric wraps it: call this one.
        optimizer: Of all that is trained.

    Raises:
        InputError: A file or setting can't be used.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        tower = None if config.media_model is None else load_vision_tower(config.media_model)
        self.training, self.validation = _read_data(config, None if tower is None else tower.image_size)
        self.sampler = EpochSampler(
            self.training.media_of_sample_n, config.batch_size, config.seed, _relevant_captions(config)
        )
        self.total_steps = self.sampler.steps * config.epochs
        strategy = _strategy(config, self.training, self.total_steps)
        self.trainable = Trainable(_model(config, self.training, tower), strategy)
        self.strategy = strategy

    def launch(self, fabric: "Fabric") -> None:
        """Put the model on this process's device, and make its optimizer."""
        self.fabric = fabric
        self.processes = Processes.current()
        self.strategy.options["processes"] = self.processes
        self.strategy.to(fabric.device)
        self.model = fabric.setup_module(self.trainable.model)
        groups = [*parameter_groups(self.model, self.config.weight_decay), *self.strategy.parameter_groups()]
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer: Any = fabric.setup_optimizers(torch.optim.AdamW(groups, lr=self.config.lr))
        torch.manual_seed(self.config.seed + fabric.global_rank)  # each process drops out units of its own

    def best_model(self, checkpoint: Checkpoint) -> DualEncoder:
        """The model with the weights of a checkpoint, whole and on the CPU, however the run's own is sharded."""
        model = _model(self.config, self.training) if self.is_sharded else self.trainable.model
        assert isinstance(model, DualEncoder)
        model.cpu()
        model.load_state_dict(checkpoint.part("model"))
        return model

    @property
    def is_sharded(self) -> bool:
        """Whether each process has but a part of the parameters."""
        return any(isinstance(parameter, DTensor) for parameter in self.trainable.model.parameters())

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients are scaled, as float16 wants it: steps whose gradients overflow are then skipped."""
        return getattr(self.fabric.strategy.precision, "scaler", None) is not None

    def shifts_of(self, sample_rows: Tensor) -> Tensor | None:
        """The shifts of some training samples ``[n]``, None where the strategy has no use for any."""
        shifts = self.training.shifts
        return None if shifts is None else torch.from_numpy(shifts.shift_n)[sample_rows].to(self.fabric.device)

    def text_inputs(self, data: PairedData, text_rows: Tensor) -> Tensor:
        """What the text side of the model takes for some captions, on the device."""
        return data.text_nd[text_rows].to(self.fabric.device)

    def of_all(self, value_n: Tensor) -> Tensor:
        """A value of each pair of the whole batch, from the values of this process's pairs."""
        if self.processes is None:
            return value_n
        return self.processes.gather(value_n, self.processes.counts(len(value_n), value_n.device))

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """This process's parts of the batches of an epoch, from batch ``first`` on."""
        for media_rows, text_rows, sample_rows in islice(self.sampler.epoch(epoch), first, None):
            mine = torch.tensor_split(torch.arange(len(media_rows)), self.fabric.world_size)[self.fabric.global_rank]
            media = self.training.media.batch(media_rows[mine])
            yield Batch(media, text_rows[mine], sample_rows[mine], sample_rows)


def _read_data(config: TrainConfig, image_size: int | None) -> tuple[PairedData, PairedData | None]:
    table = read_annotations(config.annotations)
    assert config.text is not None
    text = read_vectors(config.text, id_column="sample_id")
    training_rows = rows_of_split(table, config.split, config.annotations)
    training = pair_up(training_rows, config.media, text, shifts=config.shifts, image_size=image_size)
    if config.val_split == "none" or "split" not in table.column_names:
        return training, None
    validation_rows = rows_of_split(table, config.val_split, config.annotations)
    return training, pair_up(validation_rows, config.media, text, shifts=config.shifts, image_size=image_size)


def _relevant_captions(config: TrainConfig) -> RelevantCaptions | None:
    """What draws the captions of EK-100's clips; None where samples have their own."""
    if config.positives == "own":
        return None
    minimum = DEFAULT_MIN_RELEVANCY if config.min_relevancy is None else config.min_relevancy
    return read_relevant_captions(config.annotations, config.split, minimum)


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


def _model(config: TrainConfig, training: PairedData, tower: VisionTower | None = None) -> DualEncoder:
    if config.media_model is not None and tower is None:
        tower = load_vision_tower(config.media_model)
    if isinstance(training.media, FeatureMedia):
        media_size = training.media.dimension
    else:
        assert tower is not None
        media_size = tower.dimension
    assert config.head != "none"
    return DualEncoder(media_size, training.text_nd.shape[1], config.dimension, config.head, tower)
