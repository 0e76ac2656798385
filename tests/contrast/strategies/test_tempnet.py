import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipelines.contrast import InfoNCE, TempNet
from pipelines.errors import InputError

from ..oracles import batch, scores
from .cases import SAMPLE_IDS, SIZE, build, inputs

# The released code's values for these weights and batches, in float64, without dropout: for each visit of the same 16
# samples both sides' losses for the encoders and for the networks (sums of means), the norms of the gradients for
# media and text embeddings, and the mean temperatures.
RELEASED = [
    (
        *(1.3725695455788811, 0.23531741700839215),
        *(0.7127231103938559, 0.6913190930088235),
        *(0.03304653334220592, 0.03225155653964315),
    ),
    (
        *(0.6203158615476893, 1.0588863055869306),
        *(0.4624119267883418, 0.3808468926357379),
        *(0.03270256282936647, 0.032252119097221546),
    ),
]


def released() -> TempNet:
    strategy = TempNet(
        8,
        [str(i) for i in range(16)],
        **{"tau_min": 0.005, "tau_max": 0.05, "rho": 6.0, "prototypes": 5, "dropout": 0.0},
        loss=InfoNCE(normalize=False),  # they are given unit embeddings, and the gradients for those
    ).double()
    for seed, network in ((100, strategy.media_network), (101, strategy.text_network)):
        draw = np.random.default_rng(seed).standard_normal
        network.transform.weight.data = torch.from_numpy(draw((8, 8)) / math.sqrt(8))
        network.transform.bias.data = torch.from_numpy(0.1 * draw(8))
        network.prototype_kd.data = torch.from_numpy(draw((5, 8)))
        network.pool.weight.data = torch.from_numpy(1 + 0.5 * draw((1, 5)))
        network.log_scale.data = torch.tensor(math.log(0.01), dtype=torch.float64)
    return strategy


def encoder_loss(media_nd: Tensor, text_nd: Tensor, strategy: TempNet, taus: tuple[Tensor, Tensor]) -> float:
    """Both sides' means of sum_j w_j D_j, from the running averages as they are after the visit."""
    s, n, total = scores(media_nd, text_nd), len(media_nd), 0.0
    for side, name, tau in ((s, "media", taus[0]), (list(zip(*s, strict=True)), "text", taus[1])):
        u = strategy.state(name, "log_average").exp().tolist()
        for i in range(n):
            differences = [side[i][j] - side[i][i] for j in range(n) if j != i]
            total += sum(math.exp(d / tau[i].item()) / ((n - 1) * u[i]) * d for d in differences) / n
    return total


def test_values_are_those_of_the_released_code() -> None:
    strategy, generator = released(), np.random.default_rng(2)
    for expected in RELEASED:
        sides = [generator.standard_normal((16, 8)) for _ in range(2)]
        media_nd, text_nd = (
            torch.from_numpy(side / np.linalg.norm(side, axis=1, keepdims=True)).requires_grad_() for side in sides
        )
        output = strategy(media_nd, text_nd, step=0, sample_n=torch.arange(16))
        output.loss.backward()
        temperatures = (output.media_temperature_n, output.text_temperature_n)
        encoder = encoder_loss(media_nd.detach(), text_nd.detach(), strategy, temperatures)
        # Ours is the mean over both sides where theirs is the sum, and encoders and networks share one value.
        found = (
            *(encoder, 2 * output.loss.item() - encoder),
            *(2 * media_nd.grad.norm().item(), 2 * text_nd.grad.norm().item()),
            *(each.mean().item() for each in temperatures),
        )
        assert found == pytest.approx(expected, rel=1e-12)


def test_networks_follow_the_gradient_of_the_temperature_with_its_weights_constant() -> None:
    strategy, sample_n = released(), torch.arange(16)
    media_nd, text_nd, _ = batch(16, 8)
    media_nd, text_nd = normalize(media_nd, dim=1), normalize(text_nd, dim=1)
    strategy(media_nd.roll(1, 0), text_nd, step=0, sample_n=sample_n)
    tau_n = strategy.media_network(media_nd)
    output = strategy(media_nd, text_nd, step=1, sample_n=sample_n)
    output.loss.backward()
    s = scores(media_nd, text_nd)
    slopes = []
    for i, (tau, log_average) in enumerate(zip(tau_n.tolist(), strategy.media_log_average.tolist(), strict=True)):
        differences = [s[i][j] - s[i][i] for j in range(16) if j != i]
        pull = sum(math.exp(d / tau - log_average) / 15 * d / tau for d in differences)
        slopes.append((log_average + 6.0 - pull) / (2 * 16))
    weight = strategy.media_network.pool.weight
    expected = torch.autograd.grad((tau_n * torch.tensor(slopes, dtype=torch.float64)).sum(), weight)[0]
    torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=1e-15)
    assert expected.abs().max() > 1e-6


def test_it_starts_as_published_and_drops_half_in_training() -> None:
    torch.manual_seed(0)
    strategy = TempNet(SIZE, SAMPLE_IDS, tau_min=0.005, tau_max=0.05, rho=7.0, loss=InfoNCE())
    network, embedding_nd = strategy.media_network, inputs()["media_nd"].float()
    assert network.pool.weight.flatten().tolist() == [1.0] * 256
    assert (network.pool.bias.item(), network.log_scale.item()) == (0.0, pytest.approx(math.log(0.01)))
    assert network.dropout.p == 0.5
    assert not torch.equal(network(embedding_nd), network(embedding_nd))
    network.eval()
    assert torch.equal(network(embedding_nd), network(embedding_nd))


def test_the_networks_have_a_learning_rate_of_their_own() -> None:
    (group,) = build("tempnet", "infonce").parameter_groups()
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (3e-5, 0.0, 2 * 6)


def test_training_tells_samples_apart_and_stays_inside() -> None:
    given = inputs()
    torch.manual_seed(0)
    strategy = TempNet(SIZE, SAMPLE_IDS, rho=0.7, tau_min=0.005, tau_max=0.5, dropout=0.0, loss=InfoNCE()).double()
    media_nd, text_nd, sample_n = given["media_nd"], given["text_nd"], given["sample_n"]
    optimizer = torch.optim.Adam([{**group, "lr": 0.05} for group in strategy.parameter_groups()])
    losses = []
    for step in range(60):
        output = strategy(media_nd, text_nd, step=step, sample_n=sample_n)
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
    output = strategy(media_nd, inputs()["text_nd"][:1], step=0, sample_n=torch.tensor([3]))
    assert output.loss.item() == pytest.approx(7 * output.temperature_n.item())
    output.loss.backward()
    assert torch.equal(media_nd.grad, torch.zeros_like(media_nd))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="tau_min < tau_max"):
        TempNet(4, ["a"], tau_min=0.05, tau_max=0.05, rho=7.0, loss=InfoNCE())
    with pytest.raises(InputError, match="learning rate is 0"):
        TempNet(4, ["a"], tau_min=0.01, tau_max=0.05, rho=7.0, lr=0.0, loss=InfoNCE())
    with pytest.raises(InputError, match="needs sample_n"):
        build("tempnet", "infonce")(torch.eye(3, SIZE), torch.eye(3, SIZE), step=0)
