"""Who trains: model, strategy and optimizer on their devices, with the data that was read for them."""

import warnings
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from pipelines.contrast import PairInfo, Processes, Strategy, make_strategy
from pipelines.device import decoding_workers
from pipelines.errors import InputError
from pipelines.media import CACHE_BYTES, Replacement, StoredVectors, View, require_few_damaged
from pipelines.models import DualEncoder, LoraSettings, build_model, compile_towers
from pipelines.train.balance import find_balance
from pipelines.train.checkpoint import Checkpoint
from pipelines.train.config import TrainConfig
from pipelines.train.data import PairedData, RunFiles, pair_up, read_files, require_scored
from pipelines.train.graded import read_graded
from pipelines.train.launch import processes_started
from pipelines.train.parameters import parameter_groups
from pipelines.train.positives import DEFAULT_MIN_RELEVANCY, RelevantCaptions, read_relevant_captions
from pipelines.train.sampler import EpochSampler
from pipelines.train.state import Trainable

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TextInputs = Tensor | dict[str, Tensor]
DEFAULT_DIMENSION = 512


class Session:
    """The data, the model and the strategy of a run; ``launch`` puts them on devices.

    Args:
        config: The settings.
        files: What it names, if read already.

    Attributes:
        training: What is trained on.
        validation: What the best epoch is chosen by, None for nothing.
        graded: Relevancies of the validation split, where a score that takes them chooses the best epoch.
        balance: Weights, duplicates and sampling of the training data.
        sampler: The order of the epochs.
        total_steps: Optimizer steps of the whole run.
        encoder: The model, unwrapped.
        trainable: Model and strategy, unwrapped.
        bad_media: Media that could not be decoded, with the reason.
        fabric: The processes, after ``launch``.
        model: The model as Fabric wraps it: call this one.
        optimizer: Of all that is trained.

    Raises:
        InputError: A file or setting can't be used.
    """

    def __init__(self, config: TrainConfig, files: RunFiles | None = None) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        files = files or read_files(config)
        self._sizes = files.media_size, files.text_size
        self.encoder = self._build()
        self.training, self.validation = _pair_up_splits(config, files, self.encoder)
        require_scored(config.metric, self.validation)
        self.graded = None if self.validation is None else read_graded(config)
        self.balance = find_balance(config, files, self.training)
        self.sampler = EpochSampler(
            self.training.media_of_sample_n,
            config.batch_size,
            config.seed,
            _relevant_captions(config),
            self.balance.media_weight_m,
            reshuffle=config.reshuffle != "once",
        )
        if config.micro_batch is not None and config.micro_batch >= self.sampler.batch_size:
            raise InputError(
                f"--micro-batch {config.micro_batch} is not smaller than the batches, of {self.sampler.batch_size} of "
                f"the {config.split} split's media; leave it out"
            )
        self.total_steps = self.sampler.steps * config.epochs
        dimension = self.encoder.dimension
        self.strategy = _strategy(config, self.training, self.total_steps, dimension)
        self.trainable = Trainable(self.encoder, self.strategy)
        self.bad_media: dict[str, str] = {}
        parameter_groups(self.encoder, lr=config.lr, weight_decay=config.weight_decay)  # refuses where nothing trains

    def launch(self, fabric: "Fabric") -> None:
        """Put the model on this process's device, and make its optimizer."""
        config = self.config
        if self.sampler.batch_size < fabric.world_size:
            raise InputError(
                f"a batch of {self.sampler.batch_size} pairs can't be shared by {fabric.world_size} processes; raise "
                "--batch-size, or use fewer --devices"
            )
        self.fabric = fabric
        self.processes = Processes.current()
        self.strategy.options["processes"] = self.processes
        self.strategy.to(fabric.device)
        if config.compile:
            compile_towers(self.encoder)
        self.model = fabric.setup_module(self.encoder)
        groups = parameter_groups(
            self.encoder, lr=config.lr, weight_decay=config.weight_decay, layer_decay=config.layer_decay or 1.0
        )
        for group in self.strategy.parameter_groups():
            # A learning rate of its own, as TempNet's networks have, follows the run's schedule in proportion.
            groups.append({"lr_scale": group.get("lr", config.lr) / config.lr, **group})
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer: Any = fabric.setup_optimizers(torch.optim.AdamW(groups, lr=config.lr))
        torch.manual_seed(config.seed + fabric.global_rank)  # each process drops out units of its own

    def best_model(self, checkpoint: Checkpoint) -> DualEncoder:
        """The model with the weights of a checkpoint, whole and on the CPU, however the run's own is sharded."""
        sharded = any(isinstance(parameter, DTensor) for parameter in self.encoder.parameters())
        model = self._build() if sharded else self.encoder.cpu()
        model.load_state_dict(checkpoint.part("model"))
        return model

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients are scaled, as float16 wants it: steps whose gradients overflow are then skipped."""
        return getattr(self.fabric.strategy.precision, "scaler", None) is not None

    @property
    def workers(self) -> int:
        """Processes that decode media."""
        return decoding_workers(self.config.workers, self.fabric.device, _local_processes(self.config))

    def shifts_of(self, sample_rows: Tensor) -> Tensor | None:
        """The shifts of some training samples ``[n]``, None where none were given."""
        shifts = self.training.shifts
        return None if shifts is None else self.on_device(torch.from_numpy(shifts.shift_n)[sample_rows])

    def pair_info(self, text_rows: Tensor, sample_rows: Tensor) -> PairInfo:
        """What the loss is told of some pairs, by rows of captions and of samples ``[n]``, on the device."""
        found: dict[str, Any] = dict(self.balance.of_pairs(text_rows, sample_rows))
        on_device = {name: self.on_device(value) for name, value in found.items() if value is not None}
        return cast(PairInfo, on_device)

    def on_device(self, value: Tensor) -> Tensor:
        """A tensor on this process's device; the copy to a GPU is queued there, and the host does not wait for it."""
        if self.fabric.device.type == "cuda" and value.device.type == "cpu":
            return value.pin_memory().to(self.fabric.device, non_blocking=True)
        return value.to(self.fabric.device)

    def text_inputs(self, data: PairedData, text_rows: Tensor) -> TextInputs:
        """What the text side of the model takes for some captions, on the device."""
        if isinstance(data.texts, StoredVectors):
            return self.on_device(data.texts[text_rows])
        assert self.encoder.text_tower is not None
        tokens = self.encoder.text_tower.tokenize([data.texts[row] for row in text_rows.tolist()])
        return {name: self.on_device(value) for name, value in tokens.items()}

    def of_all(self, value_n: Tensor, pairs: int) -> Tensor:
        """A value of each of the ``pairs`` of the whole batch, from the values of this process's."""
        if self.processes is None:
            return value_n
        parts = [self.part(pairs, rank) for rank in range(self.processes.world_size)]
        return self.processes.gather(value_n, [part.stop - part.start for part in parts])

    def note_damage(self, data: PairedData, replacements: tuple[Replacement, ...]) -> None:
        """Count media that could not be decoded, those of all processes; every process must call it.

        Raises:
            InputError: There are more of them than ``max_bad``.
        """
        if data.media.is_in_memory or self.config.max_bad == 0:
            return  # without leave for any, the first one has already stopped the run
        found = [(each.media_id, each.reason) for each in replacements]
        consequence = "another medium takes its place" if data is self.training else "left out of the validation"
        if self.processes is not None:
            everyone: list[list[tuple[str, str]]] = [[] for _ in range(self.processes.world_size)]
            dist.all_gather_object(everyone, found)
            found = [each for of_one in everyone for each in of_one]
        for media_id, reason in found:
            if media_id not in self.bad_media:
                self.bad_media[media_id] = reason
                warnings.warn(f"{reason}; {consequence}", stacklevel=3)
        require_few_damaged(self.bad_media, self.config.max_bad)

    def part(self, count: int, rank: int) -> slice:
        """A process's part of so many pairs; parts differ by one pair at most."""
        world = self.fabric.world_size
        return slice(rank * count // world, (rank + 1) * count // world)

    def _build(self) -> DualEncoder:
        """The model, from torch's random state where it starts from scratch."""
        config, lora = self.config, None
        if config.lora_rank is not None:
            alpha = 2.0 * config.lora_rank if config.lora_alpha is None else config.lora_alpha
            lora = LoraSettings(rank=config.lora_rank, alpha=alpha, targets=tuple(config.lora_target))
        return build_model(
            config.media_model,
            config.text_model,
            media_size=self._sizes[0],
            text_size=self._sizes[1],
            projection=config.projection,
            dimension=config.dimension or (None if config.projection == "none" else DEFAULT_DIMENSION),
            frames=config.frames,
            chunk_seconds=config.chunk_seconds,
            pooling=config.pooling,
            freeze_patterns=config.freeze,
            lora=lora,
            gradient_checkpointing=config.gradient_checkpointing,
            trust_remote_code=config.trust_remote_code,
        )


def _pair_up_splits(config: TrainConfig, files: RunFiles, encoder: DualEncoder) -> tuple[PairedData, PairedData | None]:
    """What is trained on, and what is validated on, if anything."""
    view = view_of(config, encoder)
    cache = CACHE_BYTES // _local_processes(config)  # each process keeps views of its own
    training = pair_up(files, config, config.split, view=view, cache_bytes=cache)
    if config.val_split == "none" or not files.has_splits:
        return training, None
    return training, pair_up(files, config, config.val_split, view=view, cache_bytes=cache)


def view_of(config: TrainConfig, encoder: DualEncoder) -> View | None:
    """What the media tower takes; None for features."""
    tower = encoder.media_tower
    if tower is None:
        return None
    frames, chunk_seconds = (encoder.settings[name] for name in ("frames", "chunk_seconds"))
    return View(tower.image_size, frames, config.ranges, chunk_seconds, tower.shortest_edge)


def _relevant_captions(config: TrainConfig) -> RelevantCaptions | None:
    """What draws the captions of EK-100's clips; None where samples have their own."""
    if config.positives == "own":
        return None
    minimum = DEFAULT_MIN_RELEVANCY if config.min_relevancy is None else config.min_relevancy
    return read_relevant_captions(config.annotations, config.split, minimum)


def _strategy(config: TrainConfig, training: PairedData, total_steps: int, dimension: int) -> Strategy:
    """The temperature strategy; settings that would not stay positive are refused here, before the first step."""
    return make_strategy(
        config.temperature,
        loss=config.loss,
        total_steps=total_steps,
        shift_range=None if training.shifts is None else training.shifts.range,
        sample_ids=training.sample_ids,
        embedding_size=dimension,
        **config.strategy_options(),
    )


def _local_processes(config: TrainConfig) -> int:
    """Processes of the run on this node, whoever starts them."""
    return processes_started(config.devices, config.nodes)[0]
