"""What a training run is told."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import InputError

LossName = Literal["infonce", "max-margin"]
TemperatureName = Literal["fixed", "learned", "cosine", "mmts", "mmts-learned", "ts", "isogclr", "tempnet"]

# Which options each temperature strategy has a use for; an option that would do nothing is refused.
_USES: dict[str, set[str]] = {
    "fixed": {"tau"},
    "learned": {"tau"},
    "cosine": {"tau", "alpha", "oscillations"},
    "mmts": {"shifts", "alpha", "oscillations"},
    "mmts-learned": {"shifts", "alpha", "oscillations"},
    "ts": {"tau_min", "tau_max", "oscillations"},
    "isogclr": {"tau", "tau_min", "tau_max", "rho"},
    "tempnet": {"tau_min", "tau_max", "rho"},
}


class TrainConfig(BaseModel):
    """Settings of a training run; ``config.json`` of a run folder holds them and can be fed back.

    Attributes:
        annotations: Annotations file.
        output: Run folder to write.
        media: Features file, or folder or zip of images.
        text: Embeddings file.
        shifts: Shifts file, for ``mmts``.
        media_model: Vision model for images: config, folder or hub id.
        loss: ``infonce`` or ``max-margin``.
        temperature: Strategy that sets the temperature, or margin, of each pair.
        tau: Temperature (or margin) of ``fixed``, mean of ``cosine``, first value of ``learned`` and ``isogclr``.
        alpha: Distance from the lowest to the highest value of the cosine.
        oscillations: Full oscillations of the cosine in the run.
        tau_min: Lowest temperature of ``ts``, ``isogclr``, ``tempnet``.
        tau_max: Highest temperature of ``ts``, ``isogclr``, ``tempnet``.
        rho: Weight of the temperature in the robust objective of ``isogclr`` and ``tempnet``.
        head: ``linear`` or ``mlp``, on each side.
        dimension: Size of the shared space.
        epochs: Times each medium is seen, each time with one of its captions.
        batch_size: Pairs in a step.
        micro_batch: Pairs embedded at a time; gradients are cached, so that memory is that of a micro-batch.
        lr: Highest learning rate of AdamW.
        min_lr: Learning rate at the end of the cosine.
        warmup_epochs: Epochs over which the learning rate rises in a line; may be a fraction.
        weight_decay: Weight decay of matrices; biases, norms and temperatures have none.
        max_grad_norm: Bound on the norm of the gradient; none if None.
        seed: Seed of weights and order.
        split: Split to train on; all rows where the annotations have no splits.
        val_split: Split to validate on after each epoch; ``none`` for none.
        device: Torch device; a GPU where there is one if None.

    Raises:
        InputError: A value is out of range, or an option is unknown, missing, or without effect; one line.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    annotations: Path
    output: Path
    media: Path
    text: Path
    shifts: Path | None = None
    media_model: str | None = None
    loss: LossName = "infonce"
    temperature: TemperatureName = "mmts"
    tau: float | None = Field(None, gt=0)
    alpha: float | None = Field(None, ge=0)
    oscillations: float | None = Field(None, gt=0)
    tau_min: float | None = Field(None, gt=0)
    tau_max: float | None = Field(None, gt=0)
    rho: float | None = Field(None, ge=0)
    head: Literal["linear", "mlp"] = "linear"
    dimension: int = Field(512, ge=1)
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
    val_split: str = "val"
    device: str | None = None

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).replace("_", "-")
            given = "" if first["type"] == "missing" else f" {first['input']}"
            raise InputError(f"--{name}{given}: {first['msg']}") from error
        self._check_strategy()
        if self.micro_batch is not None and self.micro_batch >= self.batch_size:
            raise InputError(
                f"--micro-batch {self.micro_batch} is not smaller than --batch-size {self.batch_size}; leave it out"
            )

    def _check_strategy(self) -> None:
        uses = _USES[self.temperature]
        for name in sorted(set().union(*_USES.values()) - uses):
            if getattr(self, name) is not None:
                flags = ", ".join(f"--{used.replace('_', '-')}" for used in sorted(uses))
                raise InputError(
                    f"--{name.replace('_', '-')} has no effect with --temperature {self.temperature}, which takes "
                    f"{flags}; leave it out"
                )
        if "shifts" in uses and self.shifts is None:
            raise InputError(
                f"--temperature {self.temperature} needs --shifts; make them with `mmts shifts`, "
                "or choose --temperature fixed"
            )

    def strategy_options(self) -> dict[str, Any]:
        """The options of the temperature strategy that were given, for ``make_strategy``."""
        names = ("tau", "alpha", "oscillations", "tau_min", "tau_max", "rho")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def recipe(self) -> dict[str, Any]:
        """The settings that shape the result, but the seed: not paths (their contents count), nor the device."""
        elsewhere = {"annotations", "output", "media", "text", "shifts", "device", "seed"}
        return self.model_dump(mode="json", exclude=elsewhere, exclude_none=True)
