"""iSogCLR: a temperature for every sample and side, moved by its own gradient of a robust objective."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor

from pipelines.contrast.batch import LossOptions
from pipelines.contrast.registry import LossName
from pipelines.contrast.robust import RobustSide, gather_pairs, mean_over_anchors, robust_terms
from pipelines.contrast.strategies.base import Strategy, StrategyOutput
from pipelines.errors import InputError

_STATE = ("temperature", "momentum", "log_average")
_LARGEST_GRADIENT = 5.0


class ISogCLR(Strategy):
    """iSogCLR (Qiu et al., ICML 2023, arXiv 2305.11965).

    Each sample keeps, for its media and its text side, a temperature tau, the momentum of tau's gradient, and the
    logarithm of u, the running average of g = mean_j exp(D_j / tau) over its negatives, with D_j = S_j - S_positive.
    In a batch::

        u <- (1 - gamma) u + gamma g                            (u <- g on a sample's first visit)
        d tau = log u + rho - sum_j w_j D_j / tau,   w_j = exp(D_j / tau) / (k u)
        momentum <- (1 - beta) momentum + beta clip(d tau);     tau <- clip(tau - eta momentum)

    and embeddings follow the gradient of sum_j w_j D_j with w constant: softmax weights taken against u, an
    average over the data, in place of the batch. (The authors keep u as an average s and a running maximum b,
    log u = log s + b; the logarithm alone needs no maximum.) The loss reported is ``tau (log u + rho)``.

    The state of all samples is on every process, changed alike by all. In evaluation mode nothing is changed.

    Args:
        sample_ids: Ids of the training samples, unique; ``sample_n`` counts in their order.
        tau: Temperature at the start.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        rho: Weight of tau itself: higher means lower temperatures. By default 8.
        eta: Step size of tau.
        gamma: Weight of the batch in u.
        beta: Weight of the batch in the momentum.
        loss: ``"infonce"``.
        **options: Options of the loss, see `info_nce`.

    Raises:
        InputError: The loss is ``"max-margin"``, ids repeat, or the temperatures are out of order.
    """

    uses_samples = True

    def __init__(
        self,
        sample_ids: Sequence[str],
        *,
        tau: float = 0.01,
        tau_min: float = 0.005,
        tau_max: float = 0.05,
        rho: float | None = None,
        eta: float = 0.01,
        gamma: float = 0.8,
        beta: float = 0.9,
        loss: LossName = "infonce",
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(loss, **options)
        self._refuse_other_losses("isogclr")
        if not 0 < tau_min <= tau <= tau_max:
            raise InputError(
                f"isogclr starts at temperature {tau:g} in {tau_min:g} .. {tau_max:g}; "
                "give 0 < tau_min <= tau <= tau_max"
            )
        self.sample_ids = list(sample_ids)
        if len(set(self.sample_ids)) != len(self.sample_ids):
            raise InputError("the sample ids given to isogclr repeat; give each once")
        self.tau_min, self.tau_max = tau_min, tau_max
        self.rho = 8.0 if rho is None else rho
        self.eta, self.gamma, self.beta = eta, gamma, beta
        samples = len(self.sample_ids)
        for side in ("media", "text"):
            self.register_buffer(f"{side}_temperature", torch.full((samples,), tau))
            self.register_buffer(f"{side}_momentum", torch.zeros(samples))
            self.register_buffer(f"{side}_log_average", torch.full((samples,), -math.inf))

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
        """Return the loss, and move the state of the batch's samples; arguments as for `Strategy.forward`."""
        sample_n = self._needed(sample_n, "sample_n", media_nd).to(torch.int64)
        dtype = torch.promote_types(torch.float32, media_nd.dtype)
        temperatures = [self._state(side, "temperature")[sample_n].to(dtype) for side in ("media", "text")]
        media, text, batch = robust_terms(
            media_nd,
            text_nd,
            *temperatures,
            means=True,
            media_group_n=media_group_n,
            text_group_n=text_group_n,
            weight_n=weight_n,
            **self.options,
        )
        (sample_m,) = gather_pairs(batch, sample_n)
        values = []
        for name, side, temperature_n in zip(("media", "text"), (media, text), temperatures, strict=True):
            log_average_n = self._log_average(name, sample_n, side.log_mean_n.detach())
            values.append(self._value(side, temperature_n, log_average_n))
            if self.training:
                # d tau of the docstring: w_j D_j sums to exp(log g - log u) times the softmax mean of D.
                share_n = torch.exp(side.log_mean_n.detach() - log_average_n)
                gradient_n = log_average_n + self.rho - share_n * side.difference_n / temperature_n
                self._move(name, sample_m, *gather_pairs(batch, log_average_n, gradient_n))
        return StrategyOutput(mean_over_anchors(batch, values[0], values[1]), temperatures[0], temperatures[1])

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the interval temperatures are kept in."""
        return self.tau_min, self.tau_max

    def get_extra_state(self) -> dict[str, Any]:
        """Return the sample ids, which say whose state each row is; JSON-able."""
        return {"sample_ids": self.sample_ids}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: rows were put in this object's order while they were loaded."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Load rows by sample id: the order of ids, and ids one side lacks, may differ."""
        saved_ids = state_dict.get(f"{prefix}_extra_state", {}).get("sample_ids", self.sample_ids)
        if saved_ids != self.sample_ids:
            row_of = {sample_id: row for row, sample_id in enumerate(saved_ids)}
            pairs = [(row, row_of[each]) for row, each in enumerate(self.sample_ids) if each in row_of]
            fresh = len(self.sample_ids) - len(pairs)
            if fresh:
                warnings.warn(
                    f"{fresh} of {len(self.sample_ids)} samples are not in the checkpoint's isogclr state and start "
                    "fresh; check that the run resumes with the data it began with",
                    stacklevel=2,
                )
            here, there = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
            state_dict = dict(state_dict)
            for key in (f"{side}_{name}" for side in ("media", "text") for name in _STATE):
                rows = getattr(self, key).detach().cpu().clone()
                rows[here] = state_dict[prefix + key].cpu()[there].to(rows.dtype)
                state_dict[prefix + key] = rows
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _state(self, side: str, name: str) -> Tensor:
        state: Tensor = getattr(self, f"{side}_{name}")
        return state

    def _log_average(self, side: str, sample_n: Tensor, log_mean_n: Tensor) -> Tensor:
        """Return log u of the batch's samples with this batch counted in."""
        old_n = self._state(side, "log_average")[sample_n].to(log_mean_n.dtype)
        new_n = torch.logaddexp(old_n + math.log1p(-self.gamma), log_mean_n + math.log(self.gamma))
        return torch.where(old_n.isinf(), log_mean_n, new_n)

    def _value(self, side: RobustSide, temperature_n: Tensor, log_average_n: Tensor) -> Tensor:
        """Return each anchor's loss: the value of the objective with the gradient of sum_j w_j D_j."""
        weight_n = temperature_n * torch.exp(side.log_mean_n.detach() - log_average_n)
        pull_n = weight_n * (side.log_mean_n - side.log_mean_n.detach())
        return pull_n + temperature_n * (log_average_n + self.rho)

    @torch.no_grad()
    def _move(self, side: str, sample_m: Tensor, log_average_m: Tensor, gradient_m: Tensor) -> None:
        """Store log u and move the temperatures of all processes' samples; a repeated sample moves by its mean."""
        sample, place_m, count = torch.unique(sample_m, return_inverse=True, return_counts=True)

        def per_sample(value_m: Tensor) -> Tensor:
            total = value_m.new_zeros(len(sample)).index_add(0, place_m, value_m)
            return torch.div(total, count)

        state = {name: self._state(side, name) for name in _STATE}
        dtype = state["temperature"].dtype
        gradient = per_sample(gradient_m.clamp(-_LARGEST_GRADIENT, _LARGEST_GRADIENT)).to(dtype)
        momentum = (1 - self.beta) * state["momentum"][sample] + self.beta * gradient
        temperature = state["temperature"][sample] - self.eta * momentum
        state["momentum"][sample] = momentum
        state["temperature"][sample] = temperature.clamp(self.tau_min, self.tau_max)
        state["log_average"][sample] = per_sample(log_average_m).to(dtype)
