"""Learning rates by hand, who has weight decay, and the norm of the gradient."""

import math

import pytest
import torch
from torch import nn

from pipelines.train.optimizer import gradient_norm, learning_rate, set_learning_rate

HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("warmup", "total", "lowest", "rates"),
    [
        (4, 8, 0.0, [0.25, 0.5, 0.75, 1.0, 1.0, (1 + HALF) / 2, 0.5, (1 - HALF) / 2]),
        (0, 4, 0.0, [1.0, (1 + HALF) / 2, 0.5, (1 - HALF) / 2]),
        (1, 3, 0.2, [1.0, 1.0, 0.6]),
        (2, 2, 0.0, [0.5, 1.0]),
        (10, 2, 0.0, [0.1, 0.2]),
    ],
)
def test_a_line_up_then_half_a_cosine_down(warmup, total, lowest, rates) -> None:
    found = [
        learning_rate(step, highest=1.0, lowest=lowest, warmup_steps=warmup, total_steps=total) for step in range(total)
    ]
    assert found == pytest.approx(rates)


@pytest.mark.parametrize(
    ("warmup", "rates"), [(5, [0.1, 0.325, 0.55, 0.775, 1.0, 1.0, 0.5]), (1, [0.1, 1.0]), (0, [1.0])]
)
def test_a_warm_up_from_a_given_rate(warmup, rates) -> None:
    """As the scripts that AVION comes from have it: ``linspace(first, highest, warmup)``, then the cosine."""
    total = 7 if warmup == 5 else 9
    found = [
        learning_rate(step, highest=1.0, lowest=0.0, warmup_steps=warmup, total_steps=total, first=0.1)
        for step in range(len(rates))
    ]
    assert found == pytest.approx(rates)


def test_the_cosine_ends_at_the_lowest_rate() -> None:
    assert learning_rate(8, highest=1.0, lowest=0.2, warmup_steps=4, total_steps=8) == pytest.approx(0.2)


def test_all_groups_get_the_rate() -> None:
    parameters = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = torch.optim.AdamW([{"params": [parameter]} for parameter in parameters], lr=1.0)
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


@pytest.mark.parametrize(("bound", "scale"), [(None, 1.0), (26.0, 1.0), (6.5, 0.5)])
def test_gradients_are_scaled_down_to_a_bound_together(bound, scale) -> None:
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 4.0]), torch.tensor([12.0])
    assert gradient_norm(parameters, bound) == pytest.approx(13.0)
    assert parameters[0].grad.tolist() == pytest.approx([3.0 * scale, 4.0 * scale])
    assert parameters[1].grad.tolist() == pytest.approx([12.0 * scale])
