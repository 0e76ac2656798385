"""What a training run is told."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.artifacts.places import media_path
from pipelines.contrast import STRATEGIES, LossName, StrategyName
from pipelines.encoding import Precision
from pipelines.errors import InputError
from pipelines.scores.queries import DIRECTIONS, RECALL_AT

# Scores of a validation; of the thirds by frequency too, where there are shifts.
SCORES = (
    "recall_sum",
    *(f"{direction}_recall@{k}" for direction in DIRECTIONS for k in RECALL_AT),
)

# Settings that had another name once, by that name: configurations of old runs, and users' own, are still read.
RENAMED = {"head": "projection", "strategy": "parallel"}

# Options that have an effect only where media are pixels, or where there is a tower.
_OF_PIXELS = {"frames", "pooling", "augment", "workers", "max_bad"}
_OF_TOWERS = {"freeze", "lora_rank", "layer_decay", "gradient_checkpointing", "compile"}

# Settings that say where things are, or how a run is carried out, and not what comes out of it.
_ELSEWHERE = {
    *("annotations", "output", "media", "text", "shifts"),
    *("device", "devices", "nodes", "parallel", "workers", "compile", "gradient_checkpointing"),
    *("max_bad", "checkpoint_steps", "checkpoint_minutes", "logger"),
}


class TrainConfig(BaseModel):
    """Settings of a training run; ``config.json`` of a run folder holds them and can be fed back.

    Attributes:
        annotations: Annotations file.
        output: Run folder to write.
        media: Features file; or images or clips: a folder, zip, tar shards, Parquet, or ``annotations`` for the places
            that the annotations' own column ``media`` gives.
        text: Embeddings file; or give ``text_model``.
        shifts: Shifts file, for ``mmts``.
        media_model: Vision or CLIP-like model for pixels: config, folder or hub id.
        text_model: Sentence-transformers or CLIP-like model that is trained on the texts themselves.
        loss: ``infonce`` or ``max-margin``.
        temperature: Strategy that sets the temperature, or margin, of each pair.
        tau: Temperature (or margin) of ``fixed``, mean of ``cosine``, first value of ``learned`` and ``isogclr``.
        alpha: Distance from the lowest to the highest value of the cosine.
        oscillations: Full oscillations of the cosine in the run.
        tau_min: Lowest temperature of ``ts``, ``isogclr``, ``tempnet``.
        tau_max: Highest temperature of ``ts``, ``isogclr``, ``tempnet``.
        rho: Weight of the temperature in the robust objective of ``isogclr`` and ``tempnet``.
        projection: ``linear`` or ``mlp``, on each side, or ``none`` where the towers share a space already.
        dimension: Size of the shared space; 512 if None, with ``projection="none"`` that of the towers.
        epochs: Times each medium is seen, each time with one of its captions.
        batch_size: Pairs in a step.
        micro_batch: Pairs embedded at a time; gradients are cached, so that memory is that of a micro-batch.
        lr: Highest learning rate of AdamW.
        min_lr: Learning rate at the end of the cosine.
        warmup_epochs: Epochs over which the learning rate rises in a line; may be a fraction.
        weight_decay: Weight decay of matrices; biases, norms and temperatures have none.
        max_grad_norm: Bound on the norm of the gradient; none if None.
        frames: Frames of a clip; None for images.
        pooling: How the frames of a clip become one vector: ``mean`` or ``attention``.
        augment: Of images and clips in training: ``none``, ``crop`` or ``strong``.
        workers: Processes that decode media; chosen by the data if None. It changes no batch.
        max_bad: Media that may turn out damaged; each is replaced by another. One more stops the run.
        freeze: Patterns of parameter names that are not trained.
        lora_rank: Rank of low-rank adapters, which are trained in place of the towers' weights; none if None.
        lora_alpha: Scale of the adapters; twice the rank if None.
        lora_target: Patterns of the modules that get adapters; attention if empty.
        layer_decay: Factor of the learning rate from a layer of a tower to the one below; none if None.
        gradient_checkpointing: Compute activations again in the backward pass, to save memory.
        compile: Compile the towers.
        seed: Seed of weights and order.
        split: Split to train on; all rows where the annotations have no splits.
        positives: The caption a medium is contrasted with: ``own``, or ``relevancy``: in EK-100, any training sentence
            relevant to the clip.
        min_relevancy: With ``relevancy``: what a sentence's relevancy with the clip exceeds; 0.1 if None.
        val_split: Split to validate on; ``none`` for none.
        val_every: Epochs from one validation to the next.
        metric: Score by which the best epoch is chosen, of those in ``metrics.json``.
        patience: Validations without a better score after which the run ends; none if None.
        checkpoint_steps: Steps from one checkpoint to the next; none by steps if None.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        logger: Where the steps are logged as well: ``tensorboard``, ``wandb``.
        device: Torch device; a GPU where there is one if None.
        devices: Processes on each node, with a device each, that share every batch.
        nodes: Nodes.
        parallel: ``ddp``, ``fsdp``, or ``auto``: one device, or ddp.
        precision: ``32``, ``bf16-mixed`` or ``16-mixed``.

    Raises:
        InputError: A value is out of range, or an option is unknown, missing, or without effect; one line.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    annotations: Path
    output: Path
    media: Path
    text: Path | None = None
    shifts: Path | None = None
    media_model: str | None = None
    text_model: str | None = None
    loss: LossName = "infonce"
    temperature: StrategyName = "mmts"
    tau: float | None = Field(None, gt=0)
    alpha: float | None = Field(None, ge=0)
    oscillations: float | None = Field(None, gt=0)
    tau_min: float | None = Field(None, gt=0)
    tau_max: float | None = Field(None, gt=0)
    rho: float | None = Field(None, ge=0)
    projection: Literal["linear", "mlp", "none"] = "linear"
    dimension: int | None = Field(None, ge=1)
    frames: int | None = Field(None, ge=1)
    pooling: Literal["mean", "attention"] | None = None
    augment: Literal["none", "crop", "strong"] = "none"
    workers: int | None = Field(None, ge=0)
    max_bad: int = Field(0, ge=0)
    freeze: list[str] = []
    lora_rank: int | None = Field(None, ge=1)
    lora_alpha: float | None = Field(None, gt=0)
    lora_target: list[str] = []
    layer_decay: float | None = Field(None, gt=0, le=1)
    gradient_checkpointing: bool = False
    compile: bool = False
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(512, ge=2)
    micro_batch: int | None = Field(None, ge=1)
    lr: float = Field(1e-3, gt=0)
    min_lr: float = Field(0.0, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float | None = Field(None, gt=0)
    seed: int = Field(0, ge=0, lt=2**32)
    split: str = "train"
    positives: Literal["own", "relevancy"] = "own"
    min_relevancy: float | None = Field(None, ge=0, lt=1)
    val_split: str = "val"
    val_every: int = Field(1, ge=1)
    metric: str = "recall_sum"
    patience: int | None = Field(None, ge=1)
    checkpoint_steps: int | None = Field(None, ge=1)
    checkpoint_minutes: float = Field(10.0, gt=0)
    logger: list[Literal["tensorboard", "wandb"]] = []
    device: str | None = None
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    parallel: Literal["auto", "ddp", "fsdp"] = "auto"
    precision: Precision = "32"

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).replace("_", "-")
            given = "" if first["type"] == "missing" else f" {first['input']}"
            raise InputError(f"--{name}{given}: {first['msg']}") from error
        self._check_strategy()
        self._check_towers()
        self._check_metric()
        if self.min_relevancy is not None and self.positives == "own":
            raise InputError("--min-relevancy: has no effect without --positives relevancy; leave it out")
        if self.patience is not None and self.val_split == "none":
            raise InputError("--patience: has no effect with --val-split none; leave one of them out")
        if self.micro_batch is not None and self.micro_batch >= self.batch_size:
            raise InputError(
                f"--micro-batch {self.micro_batch} is not smaller than --batch-size {self.batch_size}; leave it out"
            )

    def _check_strategy(self) -> None:
        uses = STRATEGIES[self.temperature].options
        for name in sorted(frozenset().union(*(kind.options for kind in STRATEGIES.values())) - uses):
            if getattr(self, name) is not None:
                flags = ", ".join(_flag(used) for used in sorted(uses))
                raise InputError(
                    f"{_flag(name)} has no effect with --temperature {self.temperature}, which takes "
                    f"{flags}; leave it out"
                )
        if "shifts" in uses and self.shifts is None:
            raise InputError(
                f"--temperature {self.temperature} needs --shifts; make them with `mmts shifts`, "
                "or choose --temperature fixed"
            )

    def _check_metric(self) -> None:
        thirds = ("", "head_", "middle_", "tail_") if self.shifts is not None else ("",)
        names = [f"{third}{score}" for third in thirds for score in SCORES]
        if self.metric not in names:
            why = "" if self.shifts is not None else " (those of head, middle and tail need --shifts)"
            raise InputError(f"--metric {self.metric}: choose one of {', '.join(names)}{why}")

    def _check_towers(self) -> None:
        if (self.text is None) == (self.text_model is None):
            raise InputError(
                "give either --text, embeddings of the texts as `mmts embed` makes them, or --text-model, a model that "
                "is trained on the texts"
            )
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        for name in sorted(given & _OF_PIXELS):
            if self.media_model is None:
                raise InputError(f"{_flag(name)}: is for images and clips; give --media-model, or leave it out")
        for name in sorted(given & _OF_TOWERS):
            if self.media_model is None and self.text_model is None:
                raise InputError(f"{_flag(name)}: is for towers; give --media-model or --text-model, or leave it out")
        if self.pooling is not None and self.frames is None:
            raise InputError("--pooling: is for clips; give --frames, or leave it out")
        for name in ("lora_alpha", "lora_target"):
            if name in given and self.lora_rank is None:
                raise InputError(f"{_flag(name)}: has no effect without --lora-rank")

    @property
    def media_path(self) -> Path | None:
        """Where media are; None where the annotations' column ``media`` says it."""
        return media_path(self.media)

    def strategy_options(self) -> dict[str, Any]:
        """The options of the temperature strategy that were given, for ``make_strategy``."""
        names = ("tau", "alpha", "oscillations", "tau_min", "tau_max", "rho")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def recipe(self) -> dict[str, Any]:
        """The settings that shape the result, but the seed: not paths (their contents count), nor how it is run."""
        return _shaping(self.model_dump(mode="json", exclude={"seed"}, exclude_none=True))

    def differences(self, other: dict[str, Any]) -> str:
        """How these settings differ from those in another run's ``config.json``, in words; empty if they don't."""
        theirs = _shaping({RENAMED.get(name, name): value for name, value in other.items()})
        ours = _shaping(self.model_dump(mode="json", exclude_none=True))
        names = sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))
        return "; ".join(
            f"{_flag(name)} {theirs.get(name, 'not given')}, now {ours.get(name, 'not given')}" for name in names
        )


def _shaping(values: dict[str, Any]) -> dict[str, Any]:
    """Of some settings those that shape the result; models on this machine count by what their files hold."""
    return {
        name: value
        for name, value in values.items()
        if name not in _ELSEWHERE and not (name in ("media_model", "text_model") and Path(value).exists())
    }


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
