"""iSogCLR: a temperature for every sample and side, moved by its own gradient of a robust objective."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipelines.contrast.losses.base import Loss
from pipelines.contrast.registry import STRATEGIES
from pipelines.contrast.strategies.base import StrategyInput
from pipelines.contrast.strategies.robust import RobustStrategy, Samples
from pipelines.contrast.strategies.settings import Settings
from pipelines.errors import InputError

_LARGEST_GRADIENT = 5.0


class ISogCLR(RobustStrategy):
    """iSogCLR (Qiu et al., ICML 2023, arXiv 2305.11965).

    Each sample keeps, for its media and its text side, a temperature and the momentum of its gradient, which is the
    d tau of `RobustStrategy`::

        momentum <- (1 - beta) momentum + beta clip(d tau);     tau <- clip(tau - eta momentum)

    Args:
        sample_ids: Ids of the training samples, unique; ``sample_n`` counts in their order.
        tau: Temperature at the start.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        rho: Weight of tau itself: higher means lower temperatures.
        eta: Step size of tau.
        gamma: Weight of the batch in the running average.
        beta: Weight of the batch in the momentum.
        loss: InfoNCE, whose place the objective takes, with the same options.

    Raises:
        InputError: The loss is another, ids repeat, or the temperatures are out of order.
    """

    def __init__(
        self,
        sample_ids: Sequence[str],
        *,
        tau: float,
        tau_min: float,
        tau_max: float,
        rho: float,
        eta: float = 0.01,
        gamma: float = 0.8,
        beta: float = 0.9,
        loss: Loss,
    ) -> None:
        super().__init__(sample_ids, tau_min=tau_min, tau_max=tau_max, rho=rho, gamma=gamma, loss=loss)
        STRATEGIES["isogclr"].check_loss(loss.name)
        if not tau_min <= tau <= tau_max:
            raise InputError(
                f"isogclr starts at temperature {tau:g} in {tau_min:g} .. {tau_max:g}; give tau_min <= tau <= tau_max"
            )
        self.eta, self.beta = eta, beta
        self.remember("temperature", tau)
        self.remember("momentum", 0.0)

    def temperatures(self, given: StrategyInput) -> tuple[Tensor, Tensor]:
        """Return the temperatures of the batch's samples."""
        media_n, text_n = (self.state(side, "temperature")[given.sample_n] for side in ("media", "text"))
        return media_n.to(given.dtype), text_n.to(given.dtype)

    @torch.no_grad()
    def update(self, side: str, samples: Samples, log_average_m: Tensor, gradient_m: Tensor) -> None:
        """Remember a batch and move its samples' temperatures; see `RobustStrategy.update`."""
        super().update(side, samples, log_average_m, gradient_m)
        temperature, momentum = self.state(side, "temperature"), self.state(side, "momentum")
        gradient = samples.mean(gradient_m.clamp(-_LARGEST_GRADIENT, _LARGEST_GRADIENT)).to(momentum.dtype)
        moved = (1 - self.beta) * momentum[samples.rows] + self.beta * gradient
        momentum[samples.rows] = moved
        temperature[samples.rows] = (temperature[samples.rows] - self.eta * moved).clamp(self.tau_min, self.tau_max)


def isogclr(settings: Settings) -> ISogCLR:
    """Build ``isogclr``."""
    return ISogCLR(
        settings.samples,
        tau=settings["tau"],
        tau_min=settings["tau_min"],
        tau_max=settings["tau_max"],
        rho=settings["rho"],
        loss=settings.loss,
    )
