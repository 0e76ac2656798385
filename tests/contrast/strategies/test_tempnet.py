import math

import pytest
import torch

from pipelines.contrast import TempNet
from pipelines.errors import InputError

from ..oracles import scores
from .cases import SIZE, build, inputs


def test_loss_is_the_robust_objective_at_the_predicted_temperatures() -> None:
    given = inputs()
    strategy = build("tempnet", "infonce", rho=3.0)
    output = strategy(given["media_nd"], given["text_nd"], step=0)
    s, n = scores(given["media_nd"], given["text_nd"]), len(given["media_nd"])
    total = 0.0
    for side, taus in ((s, output.media_temperature_n), (list(zip(*s, strict=True)), output.text_temperature_n)):
        for i, tau in enumerate(taus.tolist()):
            g = sum(math.exp((side[i][j] - side[i][i]) / tau) for j in range(n) if j != i) / (n - 1)
            total += tau * (math.log(g) + 3.0) / (2 * n)
    assert output.loss.item() == pytest.approx(total, rel=1e-9)
    assert output.media_temperature_n.std() > 0


def test_gradients_of_networks_and_embeddings() -> None:
    given = inputs()
    strategy = build("tempnet", "infonce")
    weight = strategy.media_network.transform.weight
    strategy(given["media_nd"], given["text_nd"], step=0).loss.backward()
    small = 1e-5
    for entry in ((0, 0), (2, 3)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[entry] += sign * small
            values.append(strategy(given["media_nd"], given["text_nd"], step=0).loss.item())
            with torch.no_grad():
                weight[entry] -= sign * small
        numeric = (values[0] - values[1]) / (2 * small)
        assert weight.grad[entry].item() == pytest.approx(numeric, rel=1e-5)


def test_training_tells_samples_apart_and_stays_inside() -> None:
    given = inputs()
    torch.manual_seed(0)
    strategy = TempNet(SIZE, rho=0.7, tau_max=0.5)
    assert strategy(given["media_nd"].float(), given["text_nd"].float(), step=0).temperature_n.std() < 1e-7
    optimizer = torch.optim.Adam([{**group, "lr": 0.05} for group in strategy.parameter_groups()])
    losses = []
    for step in range(60):
        output = strategy(given["media_nd"].float(), given["text_nd"].float(), step=step)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < losses[0]
    assert output.temperature_n.std() > 1e-3
    assert 0.005 <= output.temperature_n.min() <= output.temperature_n.max() <= 0.5
    assert strategy.range(1) == (0.005, 0.5)


def test_a_pair_without_negatives_adds_only_its_temperature() -> None:
    strategy = build("tempnet", "infonce")
    media_nd = inputs()["media_nd"][:1].requires_grad_()
    output = strategy(media_nd, inputs()["text_nd"][:1], step=0)
    assert output.loss.item() == pytest.approx(8 * output.temperature_n.item())
    output.loss.backward()
    assert torch.equal(media_nd.grad, torch.zeros_like(media_nd))


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(InputError, match="tau_min < tau_max"):
        TempNet(4, tau_min=0.05, tau_max=0.05)
