"""What every temperature strategy is: a module from embeddings and a step to a loss."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Unpack

from torch import Tensor, nn

from pipelines.contrast.batch import LossOptions
from pipelines.contrast.losses.info_nce import info_nce
from pipelines.contrast.losses.max_margin import max_margin
from pipelines.contrast.registry import LOSSES, STRATEGIES, LossName, StrategyName
from pipelines.errors import InputError


class StrategyOutput(NamedTuple):
    """What a strategy returns for a batch: a tuple, which wrappers such as Fabric's can look into.

    Attributes:
        loss: Scalar to call ``backward`` on.
        media_temperature_n: Temperature (or margin) used for each media anchor ``[n]``, detached.
        text_temperature_n: The same for text anchors; equal unless the strategy has one a side.
    """

    loss: Tensor
    media_temperature_n: Tensor
    text_temperature_n: Tensor

    @property
    def temperature_n(self) -> Tensor:
        """Temperature (or margin) of each pair, the mean of its two sides ``[n]``."""
        return (self.media_temperature_n + self.text_temperature_n) / 2


class Strategy(nn.Module, ABC):
    """How the temperature (InfoNCE) or margin (max-margin) of each pair is chosen.

    Attributes:
        loss: The loss it is used with.
        uses_shifts: Whether `forward` needs ``shift_n``.
        uses_samples: Whether `forward` needs ``sample_n``.

    Args:
        loss: ``"infonce"`` or ``"max-margin"``.
        **options: Fixed options of the loss: ``normalize``, ``related``, ``tile_size``, ``processes``, see `info_nce`.

    Raises:
        InputError: The loss is unknown.
    """

    uses_shifts = False
    uses_samples = False

    def __init__(self, loss: LossName, **options: Unpack[LossOptions]) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise InputError(f"loss {loss!r} is unknown; choose one of {', '.join(LOSSES)}")
        self.loss: LossName = loss
        self.options = options

    @property
    def quantity(self) -> str:
        """What it sets, for messages: ``"temperature"`` or ``"margin"``."""
        return LOSSES[self.loss].quantity

    @abstractmethod
    def forward(
        self,
        media_nd: Tensor,
        text_nd: Tensor,
        *,
        step: int,
        shift_n: Tensor | None = None,
        sample_n: Tensor | None = None,
        media_group_n: Tensor | None = None,
        text_group_n: Tensor | None = None,
        weight_n: Tensor | None = None,
    ) -> StrategyOutput:
        """Return the loss of a batch and the temperatures it was taken at.

        Args:
            media_nd: Media embeddings ``[n, d]``.
            text_nd: Text embeddings ``[n, d]``.
            step: Optimizer steps done, from 0.
            shift_n: Each pair's shift ``[n]``; ignored where `uses_shifts` is false.
            sample_n: Each pair's row among the sample ids the strategy was built with ``[n]``, int64; ignored where
                `uses_samples` is false.
            media_group_n: See `info_nce`.
            text_group_n: See `info_nce`.
            weight_n: See `info_nce`.

        Raises:
            InputError: A shape is wrong, or something needed is missing.
        """

    @abstractmethod
    def range(self, total_steps: int) -> tuple[float, float]:
        """Return bounds of the temperature (or margin) over a run, before it starts.

        Exact, as reached at whole steps, where the schedule and the shifts alone decide; otherwise the interval the
        strategy keeps to, whose upper end may be infinite.

        Args:
            total_steps: Number of optimizer steps in the run.
        """

    def check(self, total_steps: int) -> None:
        """Refuse, before the first step, settings under which a temperature or margin would not stay positive.

        Args:
            total_steps: Number of optimizer steps in the run.

        Raises:
            InputError: It would not; the message says what would be allowed.
        """
        low, _ = self.range(total_steps)
        if not low > 0:
            raise InputError(f"the {self.quantity} would fall to {low:.6g}; it must stay above 0")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return optimizer groups of this strategy's own parameters, without weight decay; often none."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [{"params": parameters, "weight_decay": 0.0}] if parameters else []

    def _at(
        self,
        media_nd: Tensor,
        text_nd: Tensor,
        temperature_n: Tensor,
        media_group_n: Tensor | None,
        text_group_n: Tensor | None,
        weight_n: Tensor | None,
    ) -> StrategyOutput:
        """Return the loss at temperatures (or margins) ``[n]`` that are the same for both sides."""
        loss = info_nce if self.loss == "infonce" else max_margin
        value = loss(
            media_nd,
            text_nd,
            temperature_n,
            media_group_n=media_group_n,
            text_group_n=text_group_n,
            weight_n=weight_n,
            **self.options,
        )
        used_n = temperature_n.detach()
        return StrategyOutput(value, used_n, used_n)

    def _refuse_other_losses(self, name: StrategyName) -> None:
        kind = STRATEGIES[name]
        if self.loss not in kind.losses:
            others = ", ".join(other.name for other in STRATEGIES.values() if self.loss in other.losses)
            raise InputError(
                f"temperature strategy {name!r} doesn't work with loss {self.loss!r}: {kind.limits}; use loss "
                f"{' or '.join(kind.losses)}, or one of {others}"
            )

    def _needed(self, value_n: Tensor | None, name: str, media_nd: Tensor) -> Tensor:
        """Return an argument that this strategy can't do without, on the device of the embeddings."""
        if value_n is None:
            raise InputError(
                f"{type(self).__name__} needs {name}; give one value for each of the {len(media_nd)} pairs"
            )
        if value_n.shape != (len(media_nd),):
            raise InputError(
                f"{name} has shape {tuple(value_n.shape)}; give one value for each of the {len(media_nd)} pairs"
            )
        return value_n.to(media_nd.device)
