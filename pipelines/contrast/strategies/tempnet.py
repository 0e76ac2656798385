"""TempNet: a small network that predicts each sample's temperature from its embedding."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LossName
from pipelines.contrast.robust import mean_over_anchors, robust_terms
from pipelines.contrast.strategies.base import Strategy, StrategyOutput
from pipelines.errors import InputError


class TemperatureNetwork(nn.Module):
    """From unit embeddings to temperatures in a given interval: transform, compare with prototypes, pool, squash.

    Args:
        embedding_size: Columns of the embeddings.
        prototypes: Number of prototypes.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
    """

    def __init__(self, embedding_size: int, prototypes: int, tau_min: float, tau_max: float) -> None:
        super().__init__()
        self.transform = nn.Linear(embedding_size, embedding_size)
        self.prototype_kd = nn.Parameter(torch.randn(prototypes, embedding_size))
        self.log_sharpness = nn.Parameter(torch.tensor(0.0))
        # Zero weights: training starts with every temperature in the middle of the interval.
        self.pool = nn.Linear(prototypes, 1)
        nn.init.zeros_(self.pool.weight)
        nn.init.zeros_(self.pool.bias)
        self.tau_min, self.tau_max = tau_min, tau_max

    def forward(self, embedding_nd: Tensor) -> Tensor:
        """Return temperatures ``[n]`` of embeddings ``[n, d]``, which get no gradient."""
        with torch.autocast(embedding_nd.device.type, enabled=False):
            unit_nd = functional.normalize(embedding_nd.detach().to(self.prototype_kd.dtype), dim=1)
            hidden_nd = functional.normalize(torch.sigmoid(self.transform(unit_nd)), dim=1)
            match_nk = hidden_nd @ functional.normalize(self.prototype_kd, dim=1).T
            share_nk = torch.softmax(match_nk * self.log_sharpness.exp(), dim=1)
            # Shares relative to equal ones: the bias moves all temperatures, the weights tell samples apart.
            squashed_n = torch.sigmoid(self.pool(share_nk * share_nk.shape[1] - 1)[:, 0])
        return self.tau_min + (self.tau_max - self.tau_min) * squashed_n


class TempNet(Strategy):
    """TempNet (Qiu et al., ICML 2024, arXiv 2404.04575): temperatures from a network for each side.

    Networks and encoders minimise one robust objective, the mean over anchors of ``tau_i (log g_i + rho)`` with
    g_i = mean over negatives of exp((S_ij - S_ii) / tau_i), estimated on the batch. Embeddings reach the networks
    without gradient.

    Args:
        embedding_size: Columns of the embeddings.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        rho: Weight of tau itself: higher means lower temperatures. By default 8.
        prototypes: Number of prototypes of a network.
        loss: ``"infonce"``.
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: The loss is ``"max-margin"``, or the interval is empty.
    """

    def __init__(
        self,
        embedding_size: int,
        *,
        tau_min: float = 0.005,
        tau_max: float = 0.05,
        rho: float | None = None,
        prototypes: int = 256,
        loss: LossName = "infonce",
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(loss, **options)
        self._refuse_other_losses("tempnet")
        if not 0 < tau_min < tau_max < math.inf:
            raise InputError(f"tempnet's temperatures lie in {tau_min:g} .. {tau_max:g}; give 0 < tau_min < tau_max")
        self.tau_min, self.tau_max = tau_min, tau_max
        self.rho = 8.0 if rho is None else rho
        self.media_network = TemperatureNetwork(embedding_size, prototypes, tau_min, tau_max)
        self.text_network = TemperatureNetwork(embedding_size, prototypes, tau_min, tau_max)

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
        """Return the loss at predicted temperatures; arguments as for `Strategy.forward`."""
        dtype = torch.promote_types(torch.float32, media_nd.dtype)
        media_temperature_n = self.media_network(media_nd).to(dtype)
        text_temperature_n = self.text_network(text_nd).to(dtype)
        media, text, batch = robust_terms(
            media_nd,
            text_nd,
            media_temperature_n,
            text_temperature_n,
            media_group_n=media_group_n,
            text_group_n=text_group_n,
            weight_n=weight_n,
            **self.options,
        )
        loss = mean_over_anchors(
            batch,
            media_temperature_n * (media.log_mean_n + self.rho),
            text_temperature_n * (text.log_mean_n + self.rho),
        )
        return StrategyOutput(loss, media_temperature_n.detach(), text_temperature_n.detach())

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the interval the networks keep to."""
        return self.tau_min, self.tau_max
