"""TempNet: a small network that predicts each sample's temperature from its embedding."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.contrast.losses.base import Loss
from pipelines.contrast.registry import STRATEGIES
from pipelines.contrast.strategies.base import StrategyInput
from pipelines.contrast.strategies.robust import RobustStrategy
from pipelines.contrast.strategies.settings import Settings
from pipelines.errors import InputError


class TemperatureNetwork(nn.Module):
    """From unit embeddings e to temperatures in an interval.

    As in section 4 of arXiv 2404.04575, and its released code::

        x = dropout(sigmoid(W e + c))
        p = x P^T                                   with the rows of P, the M prototypes, normalised
        v = softmax(p / exp(s))
        tau = tau_min + (tau_max - tau_min) * sigmoid(a . ((v - 1/M) * sigmoid(p)) + d)

    Args:
        embedding_size: Columns of the embeddings.
        prototypes: Number of prototypes.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        dropout: Share of x that is dropped in training.
    """

    def __init__(self, embedding_size: int, prototypes: int, tau_min: float, tau_max: float, dropout: float) -> None:
        super().__init__()
        self.transform = nn.Linear(embedding_size, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.prototype_kd = nn.Parameter(torch.randn(prototypes, embedding_size))
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.01)))
        self.pool = nn.Linear(prototypes, 1)
        nn.init.ones_(self.pool.weight)
        nn.init.zeros_(self.pool.bias)
        self.tau_min, self.tau_max = tau_min, tau_max

    def forward(self, embedding_nd: Tensor) -> Tensor:
        """Return temperatures ``[n]`` of embeddings ``[n, d]``, which get no gradient."""
        with torch.autocast(embedding_nd.device.type, enabled=False):
            unit_nd = functional.normalize(embedding_nd.detach().to(self.prototype_kd.dtype), dim=1)
            hidden_nd = self.dropout(torch.sigmoid(self.transform(unit_nd)))
            match_nk = hidden_nd @ functional.normalize(self.prototype_kd, dim=1).T
            share_nk = torch.softmax(match_nk / self.log_scale.exp(), dim=1)
            squashed_n = torch.sigmoid(self.pool((share_nk - 1 / share_nk.shape[1]) * torch.sigmoid(match_nk))[:, 0])
        return self.tau_min + (self.tau_max - self.tau_min) * squashed_n


class TempNet(RobustStrategy):
    """TempNet (Qiu et al., ICML 2024, arXiv 2404.04575): temperatures from a network for each side.

    Networks and encoders minimise one robust objective, see `RobustStrategy`: encoders follow sum_j w_j D_j, networks
    the mean of ``tau_i d tau_i`` with d tau constant. Embeddings reach the networks without gradient.

    Args:
        embedding_size: Columns of the embeddings.
        sample_ids: Ids of the training samples, unique; ``sample_n`` counts in their order.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        rho: Weight of tau itself: higher means lower temperatures.
        gamma: Weight of the batch in the running average.
        prototypes: Number of prototypes of a network.
        dropout: Share of a network's hidden units that is dropped in training.
        lr: Learning rate of the networks; the authors' beside 2e-4 to 8e-4 for the encoders.
        loss: InfoNCE, whose place the objective takes, with the same options.

    Raises:
        InputError: The loss is another, ids repeat, the interval is empty, or ``lr`` is not positive.
    """

    def __init__(
        self,
        embedding_size: int,
        sample_ids: Sequence[str],
        *,
        tau_min: float,
        tau_max: float,
        rho: float,
        gamma: float = 0.8,
        prototypes: int = 256,
        dropout: float = 0.5,
        lr: float = 3e-5,
        loss: Loss,
    ) -> None:
        super().__init__(sample_ids, tau_min=tau_min, tau_max=tau_max, rho=rho, gamma=gamma, loss=loss)
        STRATEGIES["tempnet"].check_loss(loss.name)
        if tau_min == tau_max:
            raise InputError(f"tempnet's temperatures lie in {tau_min:g} .. {tau_max:g}; give tau_min < tau_max")
        if not lr > 0:
            raise InputError(f"tempnet's learning rate is {lr:g}; give a positive number")
        self.lr = lr
        self.media_network = TemperatureNetwork(embedding_size, prototypes, tau_min, tau_max, dropout)
        self.text_network = TemperatureNetwork(embedding_size, prototypes, tau_min, tau_max, dropout)

    def temperatures(self, given: StrategyInput) -> tuple[Tensor, Tensor]:
        """Return the temperatures the networks predict."""
        return self.media_network(given.media_nd).to(given.dtype), self.text_network(given.text_nd).to(given.dtype)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the networks' parameters, with their own learning rate and without weight decay."""
        return [{**group, "lr": self.lr} for group in super().parameter_groups()]


def tempnet(settings: Settings) -> TempNet:
    """Build ``tempnet``."""
    if settings.embedding_size is None:
        raise InputError("temperature strategy 'tempnet' needs the number of columns of the embeddings")
    return TempNet(
        settings.embedding_size,
        settings.samples,
        tau_min=settings["tau_min"],
        tau_max=settings["tau_max"],
        rho=settings["rho"],
        loss=settings.loss,
    )
