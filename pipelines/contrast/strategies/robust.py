"""The distributionally robust contrastive objective of iSogCLR and TempNet, with what it remembers of each sample."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipelines.contrast.batch import LossOptions, PairBatch, pair_batch
from pipelines.contrast.losses.base import Loss
from pipelines.contrast.losses.info_nce import anchor_sums
from pipelines.contrast.strategies.base import Strategy, StrategyInput, StrategyOutput
from pipelines.errors import InputError

SIDES = ("media", "text")


class RobustStrategy(Strategy):
    """Base of strategies that minimise, over encoders and temperatures, the mean over anchors of tau (log g + rho).

    With D_j = S_j - S_positive over the k negatives of an anchor, g = mean_j exp(D_j / tau) is a sum over the data, of
    which a batch is a sample. So each training sample keeps, for its media and its text side, the running average u of
    its g (Qiu et al., ICML 2023, arXiv 2305.11965)::

        u <- (1 - gamma) u + gamma g                            (u <- g on a sample's first visit)
        d tau = log u + rho - sum_j w_j D_j / tau,   w_j = exp(D_j / tau) / (k u)

    Embeddings follow the gradient of sum_j w_j D_j with w constant, temperatures d tau. (The authors keep u as an
    average s and a running maximum b, log u = log s + b; the logarithm alone needs no maximum.) The loss reported is
    ``tau (log u + rho)``, the mean over both sides as in `info_nce`: half of the authors' sum.

    The state of all samples is on every process, changed alike by all. In evaluation mode nothing is changed.

    Args:
        sample_ids: Ids of the training samples, unique; ``sample_n`` counts in their order.
        tau_min: Lowest temperature.
        tau_max: Highest temperature.
        rho: Weight of tau itself: higher means lower temperatures.
        gamma: Weight of the batch in u.
        loss: InfoNCE, whose place the objective takes, with the same options.

    Raises:
        InputError: Ids repeat, or the interval is empty.
    """

    uses_samples = True

    def __init__(
        self,
        sample_ids: Sequence[str],
        *,
        tau_min: float,
        tau_max: float,
        rho: float,
        gamma: float,
        loss: Loss,
    ) -> None:
        super().__init__(loss)
        if not 0 < tau_min <= tau_max < math.inf:
            raise InputError(f"temperatures lie in {tau_min:g} .. {tau_max:g}; give 0 < tau_min <= tau_max")
        self.sample_ids = list(sample_ids)
        if len(set(self.sample_ids)) != len(self.sample_ids):
            raise InputError("the sample ids of the temperature strategy repeat; give each once")
        self.tau_min, self.tau_max, self.rho, self.gamma = tau_min, tau_max, rho, gamma
        self._state_names: list[str] = []
        self.remember("log_average", -math.inf)

    @abstractmethod
    def temperatures(self, given: StrategyInput) -> tuple[Tensor, Tensor]:
        """Return the temperature of each media and of each text anchor ``[n]``."""

    def objective(self, given: StrategyInput) -> StrategyOutput:
        """Return the robust objective, and move what is remembered of the batch's samples."""
        temperatures = self.temperatures(given)
        media, text, batch = _robust_terms(given, temperatures, self.options)
        samples = Samples(_gathered(batch, given.sample_n)) if self.training else None
        values = []
        for name, side, temperature_n in zip(SIDES, (media, text), temperatures, strict=True):
            tau_n = temperature_n.detach()
            log_average_n = self._log_average(name, given.sample_n, side.log_mean_n.detach())
            # g / u: what turns softmax weights of the batch, which sum to 1, into w.
            ratio_n = torch.exp(side.log_mean_n.detach() - log_average_n)
            gradient_n = log_average_n + self.rho - ratio_n * side.difference_n / tau_n
            # Each term has the gradient wanted and adds nothing to the value but the last, a constant.
            encoder_n = tau_n * ratio_n * (side.log_mean_n - side.log_mean_n.detach())
            network_n = gradient_n * (temperature_n - tau_n)
            values.append(encoder_n + network_n + tau_n * (log_average_n + self.rho))
            if samples is not None:
                self.update(name, samples, _gathered(batch, log_average_n), _gathered(batch, gradient_n))
        loss_n = (values[0] + values[1]) * batch.share_m[batch.rows]
        return StrategyOutput(batch.total(loss_n.sum() / 2), temperatures[0].detach(), temperatures[1].detach())

    def range(self, total_steps: int) -> tuple[float, float]:
        """Return the interval temperatures are kept in."""
        return self.tau_min, self.tau_max

    def remember(self, name: str, first: float) -> None:
        """Keep one more number for each sample and side, in the state.

        Args:
            name: What it is.
            first: Its first value.
        """
        self._state_names.append(name)
        for side in SIDES:
            self.register_buffer(f"{side}_{name}", torch.full((len(self.sample_ids),), first))

    def state(self, side: str, name: str) -> Tensor:
        """Return what is remembered of all samples, in the order of their ids."""
        state: Tensor = getattr(self, f"{side}_{name}")
        return state

    @torch.no_grad()
    def update(self, side: str, samples: "Samples", log_average_m: Tensor, gradient_m: Tensor) -> None:
        """Remember a batch; a sample that is there twice counts with its mean.

        Args:
            side: ``"media"`` or ``"text"``.
            samples: The samples of all processes' pairs.
            log_average_m: log u of each pair.
            gradient_m: d tau of each pair.
        """
        state = self.state(side, "log_average")
        state[samples.rows] = samples.mean(log_average_m).to(state.dtype)

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
                    f"{fresh} of {len(self.sample_ids)} samples are not in the checkpoint's temperature state and "
                    "start fresh; check that the run resumes with the data it began with",
                    stacklevel=2,
                )
            here, there = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
            state_dict = dict(state_dict)
            for key in (f"{side}_{name}" for side in SIDES for name in self._state_names):
                rows = getattr(self, key).detach().cpu().clone()
                rows[here] = state_dict[prefix + key].cpu()[there].to(rows.dtype)
                state_dict[prefix + key] = rows
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _log_average(self, side: str, sample_n: Tensor, log_mean_n: Tensor) -> Tensor:
        """Return log u of the batch's samples with this batch counted in."""
        old_n = self.state(side, "log_average")[sample_n].to(log_mean_n.dtype)
        new_n = torch.logaddexp(old_n + math.log1p(-self.gamma), log_mean_n + math.log(self.gamma))
        return torch.where(old_n.isinf(), log_mean_n, new_n)


class Samples:
    """The samples of a batch, each once.

    Args:
        sample_m: Sample of each pair ``[m]``, int64.

    Attributes:
        rows: The samples that occur, each once.
    """

    def __init__(self, sample_m: Tensor) -> None:
        self.rows, self._place_m, self._count = torch.unique(sample_m, return_inverse=True, return_counts=True)

    def mean(self, value_m: Tensor) -> Tensor:
        """Return the mean of a value over each sample's pairs."""
        total = value_m.new_zeros(len(self.rows)).index_add(0, self._place_m, value_m)
        return torch.div(total, self._count)


class _Side(NamedTuple):
    """One side's anchors of this process.

    Attributes:
        log_mean_n: log g, differentiable in the embeddings; 0 without negatives.
        difference_n: Mean of D_j under the softmax of the negatives, a constant; 0 without negatives.
    """

    log_mean_n: Tensor
    difference_n: Tensor


def _robust_terms(
    given: StrategyInput, temperatures: tuple[Tensor, Tensor], options: LossOptions
) -> tuple[_Side, _Side, PairBatch]:
    """Return both sides' terms at constant temperatures, and the batch they come from."""
    batch = pair_batch(given.media_nd, given.text_nd, drop_related=True, **given.pairs, **options)
    tau = [temperature_n.detach() for temperature_n in temperatures]
    sums = anchor_sums(batch, tau[0], tau[1], means=True)
    media_positive_n, text_positive_n = batch.positives or (sums.positive_n, sums.positive_n)
    negatives_n = batch.negatives_m[batch.rows]

    def side(sum_n: Tensor, mean_n: Tensor, positive_n: Tensor, tau_n: Tensor) -> _Side:
        log_mean_n = sum_n - positive_n / tau_n - negatives_n.log()
        difference_n = mean_n - positive_n.detach()
        alone_n = negatives_n == 0
        return _Side(log_mean_n.masked_fill(alone_n, 0.0), difference_n.masked_fill(alone_n, 0.0))

    return (
        side(sums.row_n, sums.row_mean_n, media_positive_n, tau[0]),
        side(sums.column_m, sums.column_mean_m, text_positive_n, tau[1]),
        batch,
    )


@torch.no_grad()
def _gathered(batch: PairBatch, value_n: Tensor) -> Tensor:
    """Return a value of this process's pairs as that of all processes' pairs, a constant."""
    return batch.gather(value_n.detach())
