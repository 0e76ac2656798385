"""Accuracy of every loss and temperature strategy in low precision, beside the dense formula in the same precision.

    python benchmarks/precision.py                  n = 4096, d = 256 on a GPU; n = 1024 without one
    python benchmarks/precision.py --n 4096 --device cpu

The truth is the dense formula (an n x n matrix, autograd) in float64, on the same device and from the same, already
rounded, embeddings. Each cell is our error and, in brackets, that of the dense formula in the precision of the row:
relative for the loss, relative L2 for gradients: of media, of texts, and of temperatures, which are those of the pairs
("per pair"), or the parameters of the strategy and of the loss. "autocast" is float32 embeddings under
`torch.autocast` to bfloat16. Gradients of float16 are taken of the loss times 2^15, as a gradient scaler does.

Our sums are in float32 whatever the embeddings are. So an error may be that of float32, and that of a gradient in half
precision the one rounding to it more; the script fails where one is larger. A GPU may also round the factors of
float32 products to TF32 (10 bits), where `torch.set_float32_matmul_precision` lets it; that table has no bound.
"""

import argparse
import copy
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from contrast_losses import dense_info_nce, dense_max_margin, dense_sigmoid
from torch import Tensor, nn
from torch.nn.functional import normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also without the package installed

from pipelines.contrast import LOSSES, STRATEGIES, LossStrategy, Strategy, StrategyInput, make_strategy

DENSE = {"infonce": dense_info_nce, "max-margin": dense_max_margin, "sigmoid": dense_sigmoid}
ROWS = ("float32", "autocast", "bfloat16", "float16")
# What rounding of float32 sums may add up to. Which hinges are active near their threshold is up to rounding.
FLOAT32_BOUND = {"infonce": 1e-5, "max-margin": 1e-4, "sigmoid": 1e-5}
STEP, PERIOD, SHIFT_RANGE = 3, 10, (0.05, 0.2)


class Result(NamedTuple):
    """A loss and its gradients, as float64; of temperatures None where there are none to learn."""

    loss: Tensor
    media: Tensor
    text: Tensor
    temperatures: Tensor | None


class Batch(NamedTuple):
    """Pairs that partly agree, with a level in 0.05 .. 0.2: a shift, temperature or margin."""

    media_nd: Tensor
    text_nd: Tensor
    level_n: Tensor

    def to(self, dtype: torch.dtype, level_dtype: torch.dtype) -> "Batch":
        """A copy in other precisions, whose embeddings get gradients."""
        sides = (side.detach().to(dtype).requires_grad_() for side in (self.media_nd, self.text_nd))
        return Batch(*sides, self.level_n.detach().to(level_dtype))


class PerPair(nn.Module):
    """A loss with a temperature (or margin) of its own for each pair, which has a gradient."""

    def __init__(self, loss: str, level_n: Tensor) -> None:
        super().__init__()
        self.loss = LOSSES[loss].load()()
        self.level_n = nn.Parameter(level_n)

    def forward(self, media_nd: Tensor, text_nd: Tensor) -> Tensor:
        """Return the loss."""
        return self.loss(media_nd, text_nd, self.level_n)


@dataclass(frozen=True)
class Case:
    """A loss, with a strategy or with a level for each pair, built for a batch."""

    strategy: str
    loss: str
    module: nn.Module

    def ours(self, batch: Batch) -> Tensor:
        """Return the loss as training has it."""
        if isinstance(self.module, PerPair):
            return self.module(batch.media_nd, batch.text_nd)
        sample_n = torch.arange(len(batch.level_n), device=batch.level_n.device)
        return self.module(batch.media_nd, batch.text_nd, step=STEP, shift_n=batch.level_n, sample_n=sample_n).loss

    def dense(self, batch: Batch) -> Tensor:
        """Return the loss by the dense formula."""
        module, n = self.module, len(batch.level_n)
        if isinstance(module, Strategy) and not isinstance(module, LossStrategy):
            return dense_robust(module, batch)
        if isinstance(module, PerPair):
            level_n = module.level_n
        else:
            given = StrategyInput(batch.media_nd, batch.text_nd, STEP, {}, batch.level_n)
            level_n = module.temperature(given).expand(n)
        learned = [module.loss.bias] if self.loss == "sigmoid" else []
        return DENSE[self.loss](batch.media_nd, batch.text_nd, level_n, *learned)


def dense_robust(strategy: nn.Module, batch: Batch) -> Tensor:
    """The objective of iSogCLR and TempNet at a first visit, when u is g: the mean of tau (log g + rho)."""
    sample_n = torch.arange(len(batch.level_n), device=batch.level_n.device)
    given = StrategyInput(batch.media_nd, batch.text_nd, STEP, {}, None, sample_n)
    scores_nn = normalize(batch.media_nd, dim=1) @ normalize(batch.text_nd, dim=1).T
    own_nn = torch.eye(len(scores_nn), dtype=torch.bool, device=scores_nn.device)
    total = 0.0
    for side_nn, tau_n in zip((scores_nn, scores_nn.T), strategy.temperatures(given), strict=True):
        exponent_nn = (side_nn - side_nn.diagonal()[:, None]) / tau_n[:, None]
        log_mean_n = torch.logsumexp(exponent_nn.masked_fill(own_nn, -torch.inf), 1) - math.log(len(scores_nn) - 1)
        total = total + (tau_n * (log_mean_n + strategy.rho)).mean() / 2
    return total


def cases(n: int, d: int, level_n: Tensor) -> Iterator[Case]:
    for loss in LOSSES:
        torch.manual_seed(0)
        yield Case("per pair", loss, PerPair(loss, level_n.clone()).to(level_n.device))
    for name, kind in STRATEGIES.items():
        for loss in kind.losses:
            torch.manual_seed(0)
            strategy = make_strategy(
                name,
                loss=loss,
                period=PERIOD,
                shift_range=SHIFT_RANGE,
                sample_ids=[str(row) for row in range(n)],
                embedding_size=d,
            )
            for module in strategy.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            yield Case(name, loss, strategy.to(level_n.device))


def result(case: Case, compute: Callable[[Case, Batch], Tensor], batch: Batch, row: str) -> Result:
    """Compute a loss and its gradients; the case keeps its state, whatever the step does to it."""
    module = copy.deepcopy(case.module)
    if batch.media_nd.dtype == torch.float64:
        module.double()
    scale = 2.0**15 if row == "float16" else 1.0
    with torch.autocast(batch.media_nd.device.type, torch.bfloat16, enabled=row == "autocast"):
        loss = compute(Case(case.strategy, case.loss, module), batch)
    (loss * scale).backward()
    learned = [weight.grad.double().flatten() / scale for weight in module.parameters() if weight.grad is not None]
    media, text = (side.grad.double() / scale for side in (batch.media_nd, batch.text_nd))
    return Result(loss.detach().double(), media, text, torch.cat(learned) if learned else None)


def errors(found: Result, truth: Result) -> list[float | None]:
    """Relative errors of the loss and of the gradients; infinite where one is missing."""

    def error(got: Tensor | None, wanted: Tensor) -> float:
        return math.inf if got is None else float((got - wanted).norm() / wanted.norm())

    return [None if wanted is None else error(got, wanted) for got, wanted in zip(found, truth, strict=True)]


def bounds(case: Case, row: str) -> list[float]:
    """What our errors may be, in the order of `Result`."""
    sums = FLOAT32_BOUND[case.loss]
    rounding = torch.finfo(getattr(torch, row)).eps / 2 if row.endswith("16") else 0.0
    return [sums, sums + rounding, sums + rounding, sums]


def cell(ours: float | None, dense: float | None, bound: float) -> str:
    if ours is None or dense is None:
        return f"{'':22}"
    return f"{ours:9.1e}{' ' if ours <= bound else '!'}({dense:7.1e})   "


def table(n: int, d: int, device: torch.device, *, bounded: bool) -> int:
    """Print the table; return how many errors exceed their bounds."""
    generator = torch.Generator().manual_seed(0)
    media_nd = torch.randn(n, d, generator=generator)
    text_nd = torch.randn(n, d, generator=generator) + media_nd / 2
    low, high = SHIFT_RANGE
    level_n = torch.rand(n, generator=generator) * (high - low) + low
    batch = Batch(*(each.to(device) for each in (media_nd, text_nd, level_n)))
    heads = "".join(f"{name:22}" for name in Result._fields)
    print(f"{'strategy':14}{'loss':12}{'embeddings':12}{heads}")
    exceeded = 0
    for case in cases(n, d, batch.level_n):
        for row in ROWS:
            dtype = torch.float32 if row == "autocast" else getattr(torch, row)
            rounded = batch.to(dtype, torch.float32)
            truth = result(case, Case.dense, rounded.to(torch.float64, torch.float64), "float64")
            ours = errors(result(case, Case.ours, rounded, row), truth)
            dense = errors(result(case, Case.dense, batch.to(dtype, torch.float32), row), truth)
            allowed = bounds(case, row) if bounded else [math.inf] * len(ours)
            exceeded += sum(each is not None and not each <= bound for each, bound in zip(ours, allowed, strict=True))
            cells = "".join(cell(*each) for each in zip(ours, dense, allowed, strict=True))
            print(f"{case.strategy:14}{case.loss:12}{row:12}{cells}".rstrip())
    return exceeded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, help="pairs (default: 4096 on a GPU, 1024 on a CPU)")
    parser.add_argument("--d", type=int, default=256, help="columns of the embeddings (default: 256)")
    parser.add_argument("--device", help="default: a GPU if there is one")
    arguments = parser.parse_args()
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    n = arguments.n or (4096 if device.type == "cuda" else 1024)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"torch {torch.__version__}, {name}, n = {n}, d = {arguments.d}: error (of the dense formula)")
    exceeded = 0
    for precision in ("highest", "high") if device.type == "cuda" else ("highest",):
        torch.set_float32_matmul_precision(precision)
        if device.type == "cuda":
            print(f"\ntorch.backends.cuda.matmul.allow_tf32 = {torch.backends.cuda.matmul.allow_tf32}")
        exceeded += table(n, arguments.d, device, bounded=precision == "highest")
    print(f"\n{exceeded} errors exceed their bounds" + (", marked !" if exceeded else ""))
    sys.exit(1 if exceeded else 0)


if __name__ == "__main__":
    main()
