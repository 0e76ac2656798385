"""What every loss is: a module from embeddings, and a temperature or margin per pair, to a scalar."""

from abc import ABC, abstractmethod
from typing import ClassVar, Unpack

from torch import Tensor, nn

from pipelines.contrast.batch import LossOptions, PairInfo
from pipelines.contrast.registry import LOSSES


class Loss(nn.Module, ABC):
    """A loss of n pairs. It may own parameters, such as a learned bias; they train with those of the strategy.

    Attributes:
        name: Its name in `LOSSES`.
        options: What stays the same over a run.

    Args:
        **options: ``normalize``, ``related``, ``tile_size`` and ``processes``, see `info_nce`.
    """

    name: ClassVar[str]

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__()
        self.options = options

    @property
    def quantity(self) -> str:
        """What the number of each pair is, for messages: ``"temperature"`` or ``"margin"``."""
        return LOSSES[self.name].quantity

    @abstractmethod
    def forward(self, media_nd: Tensor, text_nd: Tensor, level_n: Tensor | float, **pairs: Unpack[PairInfo]) -> Tensor:
        """Return the loss, a scalar.

        Args:
            media_nd: Media embeddings ``[n, d]``.
            text_nd: Text embeddings ``[n, d]``, row i matching row i of the media.
            level_n: Temperature or margin, a number or one per pair ``[n]``; differentiable.
            **pairs: ``media_group_n``, ``text_group_n``, ``weight_n`` and ``adjustment_n``, see `info_nce`.

        Raises:
            InputError: Shapes don't match, a temperature or margin isn't positive, or a weight is negative.
        """
