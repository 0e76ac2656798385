import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contrast import Sigmoid, make_strategy, sigmoid
from pipelines.errors import InputError

from ..oracles import batch, dense, gradients, related, scores, sigmoid_loop

BIAS = torch.tensor(-4.0, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3, 257])
@pytest.mark.parametrize("tile_size", [None, 100])
def test_equals_the_explicit_loop(n: int, tile_size: int | None) -> None:
    media_nd, text_nd, tau_n = batch(n, 5)
    expected = sigmoid_loop(scores(media_nd, text_nd), tau_n.tolist())
    assert expected > 0.1
    assert sigmoid(media_nd, text_nd, tau_n, tile_size=tile_size).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 257])
def test_gradients_equal_dense_autograd(n: int) -> None:
    inputs = [x.requires_grad_() for x in (*batch(n, 7), BIAS.clone())]
    found = gradients(sigmoid(*inputs, tile_size=100), *inputs)
    for grad, expected in zip(found, gradients(dense(Sigmoid)(*inputs), *inputs), strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-8, atol=1e-12)


def test_gradcheck_which_also_goes_back_through_one_graph_repeatedly() -> None:
    inputs = [x.requires_grad_() for x in (*batch(5, 3), BIAS.clone())]
    assert torch.autograd.gradcheck(lambda *x: sigmoid(*x, tile_size=2), inputs)


@pytest.mark.parametrize("side", [0, 1])
def test_one_frozen_side(side: int) -> None:
    inputs = list(batch(9, 4))
    inputs[side].requires_grad_()
    found = gradients(sigmoid(*inputs, tile_size=4), inputs[side])[0]
    torch.testing.assert_close(found, gradients(dense(Sigmoid)(*inputs), inputs[side])[0])


@settings(max_examples=60)
@given(
    n=st.integers(1, 9),
    tile_size=st.integers(1, 10),
    media_groups=st.one_of(st.none(), st.integers(1, 5)),
    text_groups=st.one_of(st.none(), st.integers(1, 5)),
    weighted=st.booleans(),
    mode=st.sampled_from(["mask", "count"]),
    unit=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_groups_and_weights(
    n: int,
    tile_size: int,
    media_groups: int | None,
    text_groups: int | None,
    weighted: bool,
    mode: str,
    unit: bool,
    seed: int,
) -> None:
    media_nd, text_nd, tau_n = batch(n, 4, seed)
    generator = torch.Generator().manual_seed(seed)
    ids = [None if k is None else torch.randint(k, (n,), generator=generator) for k in (media_groups, text_groups)]
    weight_n = torch.rand(n, generator=generator).double() + 0.1 if weighted else None
    expected = sigmoid_loop(
        scores(media_nd, text_nd, unit),
        tau_n.tolist(),
        BIAS.item(),
        related(n, *(None if group is None else group.tolist() for group in ids)),
        mode,
        None if weight_n is None else weight_n.tolist(),
    )
    found = sigmoid(
        media_nd,
        text_nd,
        tau_n,
        BIAS,
        media_group_n=ids[0],
        text_group_n=ids[1],
        related=mode,
        weight_n=weight_n,
        normalize=unit,
        tile_size=tile_size,
    )
    assert found.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("mode", ["mask", "count"])
def test_gradcheck_with_groups_and_weights(mode: str) -> None:
    inputs = [x.requires_grad_() for x in (*batch(6, 3), BIAS.clone())]
    group_n, weight_n = torch.tensor([0, 0, 1, 2, 1, 3]), torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5, 1.0])

    def loss(*x: torch.Tensor) -> torch.Tensor:
        return sigmoid(*x, text_group_n=group_n, related=mode, weight_n=weight_n, tile_size=4)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("tau", [0.01, 0.1, 10.0])
def test_float32_agrees_with_float64(tau: float) -> None:
    media_nd, text_nd, _ = (x.requires_grad_() for x in batch(300, 8, dtype=torch.float32))
    loss = sigmoid(media_nd, text_nd, tau, tile_size=128)
    tau_n = torch.tensor([tau], dtype=torch.float64)
    expected = dense(Sigmoid)(media_nd.double(), text_nd.double(), tau_n)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    found = gradients(loss, media_nd)[0]
    torch.testing.assert_close(found, gradients(expected, media_nd)[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_small_gradients_for_a_gradient_scaler(dtype: torch.dtype) -> None:
    media_nd, text_nd, _ = batch(300, 16, dtype=dtype)
    media_nd.requires_grad_()
    exact = media_nd.detach().float().requires_grad_()
    scale = 2.0**10
    found = gradients(sigmoid(media_nd, text_nd, 0.1) * scale, media_nd)[0]
    expected = gradients(sigmoid(exact, text_nd.float(), 0.1) * scale, exact)[0]
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected.to(dtype), rtol=1e-2, atol=1e-4)


def test_without_gradients_nothing_is_kept() -> None:
    media_nd, text_nd, tau_n = batch(20, 4)
    with torch.no_grad():
        loss = sigmoid(media_nd.requires_grad_(), text_nd, tau_n)
    assert loss.grad_fn is None
    assert loss.item() == pytest.approx(sigmoid_loop(scores(media_nd, text_nd), tau_n.tolist()), rel=1e-12)


def test_module_uses_its_options_and_its_bias() -> None:
    media_nd, text_nd, tau_n = batch(6, 3)
    module = Sigmoid(normalize=False)
    module.bias.data.fill_(-2)
    found = module(media_nd, text_nd, tau_n, weight_n=tau_n)
    assert torch.equal(found, sigmoid(media_nd, text_nd, tau_n, -2.0, weight_n=tau_n, normalize=False))


@pytest.mark.parametrize("name", ["fixed", "learned"])
def test_its_bias_trains_with_what_the_strategy_learns_and_neither_decays(name: str) -> None:
    strategy = make_strategy(name, loss="sigmoid")
    media_nd, text_nd, _ = batch(9, 4, dtype=torch.float32)
    output = strategy(media_nd, text_nd, step=0)
    output.loss.backward()
    (group,) = strategy.parameter_groups()
    assert output.temperature_n[0].item() == pytest.approx(0.1)
    assert group["weight_decay"] == 0
    assert {name for name, _ in strategy.named_parameters()} >= {"loss.bias"}
    assert all(each.grad is not None and each.grad.item() != 0 for each in group["params"])


def test_a_temperature_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InputError, match=r"temperature is -0\.1"):
        sigmoid(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0.1, -0.1]))
