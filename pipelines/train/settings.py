"""The settings of a training run, each declared once: type, range, default, flag, help text, and what it works with.

``TrainConfig`` checks them and ``mmts train`` offers them as flags; a new setting is an entry here and nothing else. No
torch and no pydantic, so that a command line can offer the flags before anything heavy is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pipelines.contrast import LossName, StrategyName
from pipelines.encoding import Precision

ParallelName = Literal["auto", "ddp", "fsdp"]

_STRATEGY = "Temperature or margin"
_BALANCE = "Other ways to balance head and tail"
_TOWERS = "Towers and projection"
_OPTIMIZER = "Optimizer"
_DATA = "Data"
_WATCH = "Validation, checkpoints, logs"
_DEVICES = "Devices"

_PIXELS = ("media_model",)
_ANY_TOWER = ("media_model", "text_model")


@dataclass(frozen=True)
class Flag:
    """How a setting is offered, its range, and when it has an effect.

    Attributes:
        help: One line for ``--help``.
        panel: The group of flags it is shown in; the first, unnamed one if empty.
        only_with: Settings of which one must be given for this to have an effect: ``media_model``, or with the value it
            must have, ``positives relevancy``.
        not_with: A setting and its value with which this has no effect.
        shapes_result: Whether it says what comes out of a run, and not where things are or how the run is carried out.
        short: A short flag.
        positional: Whether it is an argument, and not a flag.
        formerly: What it was once called; configurations of then are still read.
        gt: What a number must be above; ``ge``, ``lt``, ``le``: at least, below, at most.
    """

    help: str
    panel: str = ""
    only_with: tuple[str, ...] = ()
    not_with: str = ""
    shapes_result: bool = True
    short: str = ""
    positional: bool = False
    formerly: str = ""
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """How pydantic learns the range."""
        from pydantic import Field

        limits = {name: getattr(self, name) for name in ("gt", "ge", "lt", "le")}
        given: Any = {name: limit for name, limit in limits.items() if limit is not None}
        return handler.generate_schema(Annotated[source, Field(**given)]) if given else handler(source)


class TrainSettings:
    """Settings of a training run; the options of temperature strategies have an effect with those that take them."""

    annotations: Annotated[Path, Flag("annotations.parquet.", positional=True, shapes_result=False)]
    output: Annotated[Path, Flag("Run folder to write.", short="-o", shapes_result=False)]
    media: Annotated[
        Path,
        Flag(
            "features.parquet; or images or clips: a folder, zip, tar shards, Parquet with image bytes, or "
            "'annotations' for the paths in their column media.",
            shapes_result=False,
        ),
    ]
    text: Annotated[
        Path | None, Flag("embeddings.parquet of the texts; or give --text-model.", shapes_result=False)
    ] = None
    shifts: Annotated[Path | None, Flag("shifts.parquet, for mmts and mmts-learned.", shapes_result=False)] = None
    media_model: Annotated[
        str | None,
        Flag("Model for images, frames or clips: vision, video or CLIP-like; config, folder or hub id.", _TOWERS),
    ] = None
    text_model: Annotated[
        str | None,
        Flag("Model trained on the texts: sentence-transformers or CLIP-like; folder or hub id.", _TOWERS),
    ] = None
    trust_remote_code: Annotated[
        bool,
        Flag(
            "Run code that comes with a model; only for models whose author you trust.",
            _TOWERS,
            _ANY_TOWER,
            shapes_result=False,
        ),
    ] = False
    loss: Annotated[LossName, Flag("Contrastive loss.")] = "infonce"
    temperature: Annotated[StrategyName, Flag("What sets each pair's temperature, or margin.", _STRATEGY)] = "mmts"
    tau: Annotated[
        float | None,
        Flag(
            "fixed: the temperature or margin; cosine: its mean; learned, isogclr: the initial value (default: 0.07, "
            "margin 0.2).",
            _STRATEGY,
            gt=0,
        ),
    ] = None
    alpha: Annotated[
        float | None,
        Flag(
            "cosine, mmts, mmts-learned: distance from lowest to highest value (default: 0.08, or the smallest shift "
            "or --tau where that is too much).",
            _STRATEGY,
            ge=0,
        ),
    ] = None
    oscillations: Annotated[
        float | None,
        Flag(
            "cosine, mmts, mmts-learned, ts: full periods over the run (default: 5).",
            _STRATEGY,
            not_with="alpha 0.0",
            gt=0,
        ),
    ] = None
    tau_min: Annotated[float | None, Flag("ts, isogclr, tempnet: lowest temperature, or margin.", _STRATEGY, gt=0)] = (
        None
    )
    tau_max: Annotated[float | None, Flag("ts, isogclr, tempnet: highest temperature, or margin.", _STRATEGY, gt=0)] = (
        None
    )
    rho: Annotated[
        float | None, Flag("isogclr, tempnet: weight of the temperature in the robust objective.", _STRATEGY, ge=0)
    ] = None
    bias: Annotated[
        float | None,
        Flag(
            "sigmoid: first value of the learned bias (default: -10, for batches of 30,000; smaller ones want about "
            "minus the log of their size).",
            _STRATEGY,
            ("loss sigmoid",),
            ge=-100,
            le=100,
        ),
    ] = None
    clusters: Annotated[
        Path | None,
        Flag(
            "clusters.parquet with the cluster sizes for these (default: those in --shifts).",
            _BALANCE,
            ("weight", "adjust", "sampling"),
            shapes_result=False,
        ),
    ] = None
    frequency: Annotated[
        str | None,
        Flag(
            "What head, middle and tail in validation follow from: a clusters or shifts file, or a column of the "
            "annotations (default: --shifts, else --clusters).",
            _WATCH,
            not_with="val_split none",
        ),
    ] = None
    weight: Annotated[
        float | None,
        Flag("Weight each pair by its cluster's size to the power -W (default: off).", _BALANCE, gt=0),
    ] = None
    adjust: Annotated[
        float | None,
        Flag(
            "Logit adjustment: add W times the log of its cluster's share to each candidate's logit (default: off).",
            _BALANCE,
            not_with="loss max-margin",
            gt=0,
        ),
    ] = None
    sampling: Annotated[
        Literal["cluster"] | None,
        Flag("cluster: draw media by cluster size, with replacement (default: each once an epoch).", _BALANCE),
    ] = None
    power: Annotated[
        float | None,
        Flag(
            "Draw a medium in proportion to its cluster's size to the power P - 1: 1 as the data are, 0 each cluster "
            "alike (default: 0).",
            _BALANCE,
            ("sampling",),
            ge=0,
            le=1,
        ),
    ] = None
    duplicates: Annotated[
        Literal["negative", "mask", "positive"] | None,
        Flag(
            "What pairs in a batch that share a medium or a text are to each other (default: negative; mask with "
            "--sampling).",
            _BALANCE,
        ),
    ] = None
    projection: Annotated[
        Literal["linear", "mlp", "none"],
        Flag(
            "Projection head on each side; none to train in the space that both towers share already.",
            _TOWERS,
            formerly="head",
        ),
    ] = "linear"
    dimension: Annotated[
        int | None, Flag("Size of the shared space (default: 512; without projection the towers').", _TOWERS, ge=1)
    ] = None
    frames: Annotated[
        int | None,
        Flag(
            "Frames sampled from each clip (default: a video model's own number; else media are images).",
            _TOWERS,
            _PIXELS,
            ge=1,
        ),
    ] = None
    chunk_seconds: Annotated[
        float | None,
        Flag(
            "Length of the chunks that videos are cut into, where numbered (default: named by their seconds).",
            _TOWERS,
            _PIXELS,
            gt=0,
        ),
    ] = None
    pooling: Annotated[
        Literal["mean", "attention"] | None,
        Flag("How the frames of a clip become one vector (default: mean).", _TOWERS, ("frames",)),
    ] = None
    freeze: Annotated[
        list[str],
        Flag("Pattern of parameters to freeze, such as 'text_tower.*'; repeatable.", _TOWERS, _ANY_TOWER),
    ] = []  # noqa: RUF012  pydantic copies it
    lora_rank: Annotated[
        int | None,
        Flag("Train low-rank adapters of this rank instead of the towers' weights.", _TOWERS, _ANY_TOWER, ge=1),
    ] = None
    lora_alpha: Annotated[
        float | None, Flag("Scale of the adapters (default: twice the rank).", _TOWERS, ("lora_rank",), gt=0)
    ] = None
    lora_target: Annotated[
        list[str],
        Flag("Pattern of modules that get adapters (default: attention); repeatable.", _TOWERS, ("lora_rank",)),
    ] = []  # noqa: RUF012  pydantic copies it
    gradient_checkpointing: Annotated[
        bool,
        Flag(
            "Recompute activations in the backward pass: less memory, more time.",
            _TOWERS,
            _ANY_TOWER,
            shapes_result=False,
        ),
    ] = False
    compile: Annotated[
        bool, Flag("Compile the towers with torch.compile.", _TOWERS, _ANY_TOWER, shapes_result=False)
    ] = False
    epochs: Annotated[
        int, Flag("Passes over the media, each time with one of their captions.", _OPTIMIZER, ge=1, le=1_000_000)
    ] = 30
    batch_size: Annotated[int, Flag("Pairs in a step, over all devices.", _OPTIMIZER, ge=2)] = 512
    micro_batch: Annotated[
        int | None,
        Flag("Pairs encoded at a time: the whole batch's gradients in the memory of a part of it.", _OPTIMIZER, ge=1),
    ] = None
    lr: Annotated[float, Flag("Peak learning rate of AdamW.", _OPTIMIZER, gt=0)] = 1e-3
    min_lr: Annotated[float, Flag("Learning rate at the end of its cosine decay.", _OPTIMIZER, ge=0)] = 0.0
    warmup_epochs: Annotated[
        float | None,
        Flag("Epochs of linear learning-rate warm-up (default: 1, but at most half of the run).", _OPTIMIZER, ge=0),
    ] = None
    warmup_lr: Annotated[
        float | None,
        Flag(
            "Learning rate of the first step, from which the warm-up rises (default: one step of the rise).",
            _OPTIMIZER,
            not_with="warmup_epochs 0.0",
            ge=0,
        ),
    ] = None
    weight_decay: Annotated[
        float,
        Flag("Weight decay of matrices; biases, norms, positions and class tokens have none.", _OPTIMIZER, ge=0),
    ] = 0.01
    max_grad_norm: Annotated[float | None, Flag("Clip the gradient norm (default: off).", _OPTIMIZER, gt=0)] = None
    layer_decay: Annotated[
        float | None,
        Flag(
            "Learning rate of a tower's layer relative to the layer above (default: the same for all).",
            _OPTIMIZER,
            _ANY_TOWER,
            gt=0,
            le=1,
        ),
    ] = None
    seed: Annotated[int, Flag("Random seed of weights and data order.", ge=0, lt=2**32)] = 0
    split: Annotated[str, Flag("Split to train on.", _DATA)] = "train"
    val_split: Annotated[str, Flag("Split to validate on; 'none' for no validation.", _DATA)] = "val"
    positives: Annotated[
        Literal["own", "relevancy"],
        Flag(
            "Captions a medium is paired with: its own, or, in EK-100, any training sentences relevant to the clip.",
            _DATA,
        ),
    ] = "own"
    min_relevancy: Annotated[
        float | None,
        Flag("Relevancy that such a sentence must exceed (default: 0.1).", _DATA, ("positives relevancy",), ge=0, lt=1),
    ] = None
    augment: Annotated[
        Literal["none", "crop", "strong"],
        Flag("Augmentation in training: random crops; strong adds flips and colours.", _DATA, _PIXELS),
    ] = "none"
    crop_scale: Annotated[
        str | None,
        Flag(
            "Smallest and largest share of the area that crops keep (default: 0.9,1.0; strong 0.5,1.0).",
            _DATA,
            not_with="augment none",
        ),
    ] = None
    flip: Annotated[
        float | None,
        Flag("Probability of a flip (default: 0; strong 0.5).", _DATA, not_with="augment none", ge=0, le=1),
    ] = None
    color: Annotated[
        float | None,
        Flag(
            "Largest change of brightness, contrast and saturation; the hue changes by a quarter of it (default: 0; "
            "strong 0.4).",
            _DATA,
            not_with="augment none",
            ge=0,
            le=1,
        ),
    ] = None
    reshuffle: Annotated[
        Literal["each-epoch", "once"] | None,
        Flag(
            "once: the same batches of media in every epoch, in the same order; captions, frames and crops are drawn "
            "anew all the same, and what fills no whole batch is never trained on (default: each-epoch).",
            _DATA,
            not_with="sampling cluster",
        ),
    ] = None
    workers: Annotated[
        int | None,
        Flag(
            "Processes that decode media (default: by device); does not change the batches.",
            _DATA,
            _PIXELS,
            shapes_result=False,
            ge=0,
        ),
    ] = None
    max_bad: Annotated[
        int,
        Flag(
            "Damaged media to tolerate: they are replaced, and listed in metrics.json.",
            _DATA,
            _PIXELS,
            shapes_result=False,
            ge=0,
        ),
    ] = 0
    val_every: Annotated[int, Flag("Epochs between validations.", _WATCH, not_with="val_split none", ge=1)] = 1
    metric: Annotated[
        str,
        Flag(
            "Score that chooses the best epoch: recall_sum, text_to_media_recall@1, ...; in EK-100 also mAP, nDCG "
            "(or mAP_mean, nDCG_mean), text_to_media_mAP, ...; with cluster sizes also tail_recall_sum, ...",
            _WATCH,
            not_with="val_split none",
        ),
    ] = "recall_sum"
    patience: Annotated[
        int | None,
        Flag(
            "Stop after this many validations without a better score (default: off).",
            _WATCH,
            not_with="val_split none",
            ge=1,
        ),
    ] = None
    logger: Annotated[
        list[Literal["tensorboard", "wandb"]],
        Flag("Log the steps to tensorboard or wandb as well; repeatable.", _WATCH, shapes_result=False),
    ] = []  # noqa: RUF012  pydantic copies it
    log_every: Annotated[
        int,
        Flag(
            "Steps between fetching losses from the device; every step is recorded.",
            _WATCH,
            shapes_result=False,
            ge=1,
        ),
    ] = 10
    checkpoint_minutes: Annotated[float, Flag("Minutes between checkpoints.", _WATCH, shapes_result=False, gt=0)] = 10.0
    checkpoint_steps: Annotated[
        int | None, Flag("Steps between checkpoints as well (default: off).", _WATCH, shapes_result=False, ge=1)
    ] = None
    device: Annotated[str | None, Flag("Torch device (default: a GPU if available).", shapes_result=False)] = None
    devices: Annotated[
        int, Flag("Processes on each node, one device each.", _DEVICES, shapes_result=False, ge=1, le=1024)
    ] = 1
    nodes: Annotated[int, Flag("Number of nodes.", _DEVICES, shapes_result=False, ge=1, le=65_536)] = 1
    parallel: Annotated[
        ParallelName,
        Flag(
            "ddp: the whole model on each device; fsdp: sharded; auto: one device, or ddp.",
            _DEVICES,
            shapes_result=False,
            formerly="strategy",
        ),
    ] = "auto"
    precision: Annotated[Precision, Flag("Precision of the towers; losses are always float32.", _DEVICES)] = "32"


def _declared() -> dict[str, Flag]:
    hints = get_type_hints(TrainSettings, include_extras=True)
    return {name: next(each for each in hint.__metadata__ if isinstance(each, Flag)) for name, hint in hints.items()}


FLAGS: Mapping[str, Flag] = _declared()
RENAMED = {flag.formerly: name for name, flag in FLAGS.items() if flag.formerly}
