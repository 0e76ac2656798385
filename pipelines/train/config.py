"""What a training run is told, checked."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from pipelines.artifacts.files import nearest
from pipelines.artifacts.places import media_path
from pipelines.augmentation import Ranges, ranges_of
from pipelines.contrast import STRATEGIES
from pipelines.errors import InputError
from pipelines.remote import as_path, located
from pipelines.scores.queries import DIRECTIONS, GRADED, RECALL_AT
from pipelines.train.settings import FLAGS, RENAMED, TrainSettings

# Scores of a validation; of the thirds by frequency too, where cluster sizes are known.
SCORES = (
    "recall_sum",
    *(f"{direction}_recall@{k}" for direction in DIRECTIONS for k in RECALL_AT),
)
# Scores by graded relevancy, of EK-100's clips; without a direction the mean of both.
GRADED_SCORES = tuple(
    f"{direction}{score}" for direction in ("", *(f"{each}_" for each in DIRECTIONS)) for score in GRADED
)
_RELATED: dict[str, Literal["mask", "count"] | None] = {"negative": None, "mask": "mask", "positive": "count"}
_SHOWN = 4  # differences between two runs that a message names


class TrainConfig(TrainSettings, BaseModel):
    """Settings of a training run; ``config.json`` of a run folder holds them and can be fed back.

    `TrainSettings` declares them, with what each means.

    Raises:
        InputError: A value is out of range, or an option is unknown, missing, or without effect; one line.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("metric")
    @classmethod
    def _name_of_mean(cls, value: str) -> str:
        """``mAP_mean``, as a table calls it, is ``mAP``."""
        mean = value.removesuffix("_mean")
        return mean if mean.endswith(GRADED) and not any(direction in mean for direction in DIRECTIONS) else value

    @field_validator("*")
    @classmethod
    def _locate(cls, value: Any) -> Any:
        return located(value) if isinstance(value, Path) else value

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            given = "" if first["type"] == "missing" else f" {first['input']}"
            raise InputError(f"{_flag(str(first['loc'][0]))}{given}: {first['msg']}") from error
        self._check_strategy()
        if (self.text is None) == (self.text_model is None):
            raise InputError(
                "give either --text, embeddings of the texts as `mmts embed` makes them, or --text-model, a model that "
                "is trained on the texts"
            )
        self._check_effects()
        self._check_balance()
        self._check_metric()
        self._check_sizes()
        self.ranges  # noqa: B018  refuses what it can't be made of
        if self.warmup_epochs is None:
            self.warmup_epochs = min(1.0, self.epochs / 2)

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

    def _check_effects(self) -> None:
        """Refuse an option that would do nothing, as `FLAGS` says."""
        for name, flag in FLAGS.items():
            if not self._is_given(name):
                continue
            if flag.only_with and not any(self._is_given(*needed.split()) for needed in flag.only_with):
                needed = " or ".join(_flag(each) for each in flag.only_with)
                raise InputError(f"{_flag(name)} has no effect without {needed}; leave it out")
            if flag.not_with and self._is_given(*flag.not_with.split()):
                raise InputError(f"{_flag(name)} has no effect with {_flag(flag.not_with)}; leave it out")

    def _is_given(self, name: str, value: str | None = None) -> bool:
        """Whether a setting has this value, or another than its default."""
        if value is not None:
            return str(getattr(self, name)) == value
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def _check_balance(self) -> None:
        for name in ("weight", "adjust", "sampling"):
            if getattr(self, name) is not None and self.clusters is None and self.shifts is None:
                raise InputError(f"{_flag(name)} needs cluster sizes; give --clusters, as `mmts cluster` makes them")

        if self.adjust is not None and STRATEGIES[self.temperature].own_objective:
            raise InputError(
                f"--adjust has no effect with --temperature {self.temperature}, which has its own objective; leave it "
                "out"
            )

    def _check_metric(self) -> None:
        knows_sizes = bool(self.frequency or self.shifts or self.clusters)
        thirds = ("", "head_", "middle_", "tail_") if knows_sizes else ("",)
        names = [f"{third}{score}" for third in thirds for score in (*SCORES, *GRADED_SCORES)]
        if self.metric not in names:
            recalls = ", ".join(f"{direction}_recall@{{{','.join(map(str, RECALL_AT))}}}" for direction in DIRECTIONS)
            also = (
                "or with head_, middle_, tail_ before it" if knows_sizes else "head_, middle_, tail_ need --frequency"
            )
            near = nearest(self.metric, names)
            raise InputError(f"--metric {self.metric[:40]}: expected recall_sum, {recalls}, mAP, nDCG; {also}{near}")

    def _check_sizes(self) -> None:
        """Refuse numbers that make no sense together."""
        if self.min_lr > self.lr:
            raise InputError(f"--min-lr {self.min_lr:g} is above --lr {self.lr:g}, the highest rate; lower it")
        if self.warmup_epochs is not None and self.warmup_epochs >= self.epochs:
            raise InputError(
                f"--warmup-epochs {self.warmup_epochs:g} of --epochs {self.epochs} would warm up to the end; lower it"
            )
        if self.warmup_lr is not None and self.warmup_lr > self.lr:
            raise InputError(f"--warmup-lr {self.warmup_lr:g} is above --lr {self.lr:g}, to which it rises; lower it")
        if self.micro_batch is not None and self.micro_batch >= self.batch_size:
            raise InputError(
                f"--micro-batch {self.micro_batch} is not smaller than --batch-size {self.batch_size}; leave it out"
            )
        if self.val_every > self.epochs:
            raise InputError(f"--val-every {self.val_every} is more than --epochs {self.epochs}; lower it")
        validations = -(-self.epochs // self.val_every)
        if self.patience is not None and self.patience >= validations:
            raise InputError(
                f"--patience {self.patience} can't stop a run of {validations} validations early; lower it, or leave "
                "it out"
            )

    @property
    def ranges(self) -> Ranges | None:
        """What augmentation draws from; None for none."""
        return ranges_of(self.augment, self.crop_scale, self.flip, self.color)

    @property
    def media_path(self) -> Path | None:
        """Where media are; None where the annotations' column ``media`` says it."""
        return media_path(self.media)

    @property
    def related(self) -> Literal["mask", "count"] | None:
        """What the loss makes of pairs that share a medium or a text; None for negatives."""
        duplicates = self.duplicates or ("negative" if self.sampling is None else "mask")
        return _RELATED[duplicates]

    @property
    def reads_texts(self) -> bool:
        """Whether captions are read: a text tower takes them, or those that are the same are told from the others."""
        return self.text is None or self.related is not None

    def strategy_options(self) -> dict[str, Any]:
        """The options of the temperature strategy and its loss that were given, for ``make_strategy``."""
        names = ("tau", "alpha", "oscillations", "tau_min", "tau_max", "rho", "bias", "related")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def warmup_steps(self, steps_an_epoch: int) -> int:
        """Optimizer steps over which the learning rate rises."""
        assert self.warmup_epochs is not None  # a default was chosen in `__init__`
        return round(self.warmup_epochs * steps_an_epoch)

    def recipe(self) -> dict[str, Any]:
        """The settings that shape the result, but the seed: not paths (their contents count), nor how it is run."""
        return _shaping(self.model_dump(mode="json", exclude={"seed"}, exclude_none=True))

    def differences(self, other: dict[str, Any]) -> str:
        """How these settings differ from those in another run's ``config.json``, in words; empty if they don't."""
        theirs = _shaping({RENAMED.get(name, name): value for name, value in other.items()})
        ours = _shaping(self.model_dump(mode="json", exclude_none=True))
        names = sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))
        shown = [f"{_flag(name)} {theirs.get(name, 'not given')}, now {ours.get(name, 'not given')}" for name in names]
        more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
        return "; ".join(shown[:_SHOWN] + more)


def _shaping(values: dict[str, Any]) -> dict[str, Any]:
    """Of some settings those that shape the result; files and models count by what they hold, not by their paths."""
    return {
        name: value
        for name, value in values.items()
        if not (name in FLAGS and not FLAGS[name].shapes_result)
        and not (name in ("media_model", "text_model", "frequency") and as_path(value).exists())
    }


def _flag(name: str) -> str:
    """``--min-lr`` for ``min_lr``; a value may follow."""
    return f"--{name.replace('_', '-')}"
