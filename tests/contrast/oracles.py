"""The losses once more: as explicit loops over Python numbers, and as their docstrings define them."""

import math
import re
import textwrap
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.contrast import Loss


def batch(n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Media and text that partly agree, and a temperature (or margin) a pair in 0.05 .. 0.25."""
    generator = torch.Generator().manual_seed(seed)
    media_nd = torch.randn(n, d, generator=generator, dtype=torch.float64)
    text_nd = torch.randn(n, d, generator=generator, dtype=torch.float64) + media_nd / 2
    value_n = torch.rand(n, generator=generator, dtype=torch.float64) * 0.2 + 0.05
    return media_nd.to(dtype), text_nd.to(dtype), value_n.to(dtype)


def scores(media_nd: Tensor, text_nd: Tensor, unit: bool = True) -> list[list[float]]:
    """Cosine (or dot product) of every media row with every text row."""

    def rows(side: Tensor) -> list[list[float]]:
        found = side.double().tolist()
        if not unit:
            return found
        return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in found]

    text = rows(text_nd)
    return [[sum(a * b for a, b in zip(row, other, strict=True)) for other in text] for row in rows(media_nd)]


def related(n: int, media_group: list[int] | None, text_group: list[int] | None) -> list[list[bool]]:
    """Whether rows i and j are one pair, or share a group."""
    groups = [group for group in (media_group, text_group) if group is not None]
    return [[i == j or any(g[i] == g[j] for g in groups) for j in range(n)] for i in range(n)]


def anchors(s: list[list[float]]) -> list[list[list[float]]]:
    """For each direction, each anchor's scores."""
    return [s, [list(column) for column in zip(*s, strict=True)]]


def info_nce_loop(
    s: list[list[float]],
    temperature: list[list[float]],
    same: list[list[bool]] | None = None,
    mode: str = "mask",
    weight: list[float] | None = None,
    added: list[float] | None = None,
) -> float:
    n = len(s)
    same = same or [[i == j for j in range(n)] for i in range(n)]
    weight = weight or [1.0] * n
    added = added or [0.0] * n
    total = 0.0
    for direction, tau in zip(anchors(s), temperature, strict=True):
        for i in range(n):
            keys = [j for j in range(n) if j == i or mode == "count" or not same[i][j]]
            positives = [j for j in range(n) if same[i][j]] if mode == "count" else [i]
            logit = [direction[i][j] / tau[i] + added[j] for j in range(n)]
            top = max(logit[j] for j in keys)
            log_sum = top + math.log(sum(math.exp(logit[j] - top) for j in keys))
            each = [log_sum - logit[j] for j in positives]
            total += weight[i] * sum(each) / len(each)
    return total / (2 * sum(weight))


def max_margin_loop(
    s: list[list[float]],
    margin: list[float],
    same: list[list[bool]] | None = None,
    mode: str = "mask",
    weight: list[float] | None = None,
) -> float:
    n = len(s)
    same = same or [[i == j for j in range(n)] for i in range(n)]
    weight = weight or [1.0] * n
    total = 0.0
    for direction in anchors(s):
        for i in range(n):
            positives = [j for j in range(n) if same[i][j]] if mode == "count" else [i]
            negatives = [j for j in range(n) if not same[i][j]]
            if not negatives:
                continue
            positive = sum(direction[i][j] for j in positives) / len(positives)
            hinges = [max(0.0, margin[i] - positive + direction[i][j]) for j in negatives]
            total += weight[i] * sum(hinges) / len(hinges)
    return total / (2 * sum(weight))


def sigmoid_loop(
    s: list[list[float]],
    temperature: list[float],
    bias: float = -10.0,
    same: list[list[bool]] | None = None,
    mode: str = "mask",
    weight: list[float] | None = None,
    added: list[float] | None = None,
) -> float:
    n = len(s)
    same = same or [[i == j for j in range(n)] for i in range(n)]
    weight = weight or [1.0] * n
    added = added or [0.0] * n
    total = 0.0
    for i in range(n):
        for j in range(n):
            if mode == "mask" and same[i][j] and i != j:
                continue
            logit = s[i][j] / temperature[i] + bias + added[j]
            wrong = -logit if same[i][j] else logit
            total += weight[i] * (max(wrong, 0.0) + math.log1p(math.exp(-abs(wrong))))
    return total / sum(weight)


def dense(loss: type[Loss]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The definition of a loss that its docstring holds."""
    assert loss.__doc__ is not None
    (code,) = re.findall(r"::\n\n( +def dense.*?)\n\n", loss.__doc__, re.DOTALL)
    names = {"torch": torch, "Tensor": Tensor, **vars(functional)}
    exec(textwrap.dedent(code), names)
    found: Callable[[Tensor, Tensor, Tensor], Tensor] = names["dense"]
    return found


def gradients(loss: Tensor, *inputs: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, inputs))
