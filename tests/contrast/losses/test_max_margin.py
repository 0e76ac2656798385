import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contrast import MaxMargin, max_margin
from pipelines.errors import InputError

from ..oracles import batch, dense, gradients, max_margin_loop, related, scores


@pytest.mark.parametrize("n", [1, 2, 3, 257])
@pytest.mark.parametrize("tile_size", [None, 100])
def test_equals_the_explicit_loop(n: int, tile_size: int | None) -> None:
    media_nd, text_nd, margin_n = batch(n, 5)
    margin_n = margin_n + 1
    expected = max_margin_loop(scores(media_nd, text_nd), margin_n.tolist())
    assert (expected > 0) == (n > 1)
    found = max_margin(media_nd, text_nd, margin_n, tile_size=tile_size).item()
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 257])
def test_gradients_equal_dense_autograd(n: int) -> None:
    media_nd, text_nd, margin_n = batch(n, 7)
    inputs = [x.requires_grad_() for x in (media_nd, text_nd, margin_n * 4)]
    found = gradients(max_margin(*inputs, tile_size=100), *inputs)
    for grad, expected in zip(found, gradients(dense(MaxMargin)(*inputs), *inputs), strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-9, atol=1e-12)


def test_a_pair_alone_has_no_loss_and_no_gradient() -> None:
    inputs = [x.requires_grad_() for x in batch(1, 4)]
    loss = max_margin(*inputs)
    assert loss.item() == 0
    assert all(torch.equal(grad, torch.zeros_like(grad)) for grad in gradients(loss, *inputs))


def test_gradcheck_which_also_goes_back_through_one_graph_repeatedly() -> None:
    inputs = [x.requires_grad_() for x in batch(5, 3)]
    assert torch.autograd.gradcheck(lambda *x: max_margin(*x, tile_size=2), inputs)


def test_second_backward_through_a_retained_graph() -> None:
    media_nd, text_nd, margin_n = (x.requires_grad_() for x in batch(6, 3))
    loss = 3 * max_margin(media_nd, text_nd, margin_n)
    first = torch.autograd.grad(loss, media_nd, retain_graph=True)[0]
    second = torch.autograd.grad(loss, media_nd)[0]
    torch.testing.assert_close(first, second, rtol=1e-12, atol=0)


@pytest.mark.parametrize("side", [0, 1])
def test_one_frozen_side(side: int) -> None:
    inputs = list(batch(9, 4))
    inputs[side].requires_grad_()
    found = gradients(max_margin(*inputs, tile_size=4), inputs[side])[0]
    torch.testing.assert_close(found, gradients(dense(MaxMargin)(*inputs), inputs[side])[0])


@settings(max_examples=60)
@given(
    n=st.integers(1, 12),
    d=st.integers(1, 6),
    tile_size=st.integers(1, 15),
    margin=st.floats(1e-3, 10),
    seed=st.integers(0, 1000),
    unit=st.booleans(),
)
def test_any_shape_tile_and_margin(n: int, d: int, tile_size: int, margin: float, seed: int, unit: bool) -> None:
    media_nd, text_nd, _ = batch(n, d, seed)
    expected = max_margin_loop(scores(media_nd, text_nd, unit), [margin] * n)
    found = max_margin(media_nd, text_nd, margin, tile_size=tile_size, normalize=unit).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=60)
@given(
    n=st.integers(1, 9),
    tile_size=st.integers(1, 10),
    media_groups=st.one_of(st.none(), st.integers(1, 5)),
    text_groups=st.one_of(st.none(), st.integers(1, 5)),
    weighted=st.booleans(),
    mode=st.sampled_from(["mask", "count"]),
    seed=st.integers(0, 1000),
)
def test_groups_and_weights(
    n: int, tile_size: int, media_groups: int | None, text_groups: int | None, weighted: bool, mode: str, seed: int
) -> None:
    media_nd, text_nd, margin_n = batch(n, 4, seed)
    generator = torch.Generator().manual_seed(seed)
    ids = [None if k is None else torch.randint(k, (n,), generator=generator) for k in (media_groups, text_groups)]
    weight_n = torch.rand(n, generator=generator).double() + 0.1 if weighted else None
    expected = max_margin_loop(
        scores(media_nd, text_nd),
        margin_n.tolist(),
        related(n, *(None if group is None else group.tolist() for group in ids)),
        mode,
        None if weight_n is None else weight_n.tolist(),
    )
    found = max_margin(
        media_nd,
        text_nd,
        margin_n,
        media_group_n=ids[0],
        text_group_n=ids[1],
        related=mode,
        weight_n=weight_n,
        tile_size=tile_size,
    )
    assert found.item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("mode", ["mask", "count"])
def test_gradcheck_with_groups_and_weights(mode: str) -> None:
    inputs = [x.requires_grad_() for x in batch(6, 3)]
    group_n, weight_n = torch.tensor([0, 0, 1, 2, 1, 3]), torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5, 1.0])

    def loss(*x: torch.Tensor) -> torch.Tensor:
        return max_margin(*x, text_group_n=group_n, related=mode, weight_n=weight_n, tile_size=4)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("margin", [1e-3, 0.2, 10.0])
def test_float32_agrees_with_float64(margin: float) -> None:
    media_nd, text_nd, _ = (x.requires_grad_() for x in batch(300, 8, dtype=torch.float32))
    loss = max_margin(media_nd, text_nd, margin, tile_size=128)
    expected = dense(MaxMargin)(media_nd.double(), text_nd.double(), torch.tensor(margin, dtype=torch.float64))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_small_gradients_for_a_gradient_scaler(dtype: torch.dtype) -> None:
    media_nd, text_nd, _ = batch(300, 16, dtype=dtype)
    media_nd.requires_grad_()
    exact = media_nd.detach().float().requires_grad_()
    scale = 2.0**14
    found = gradients(max_margin(media_nd, text_nd, 0.2) * scale, media_nd)[0]
    expected = gradients(max_margin(exact, text_nd.float(), 0.2) * scale, exact)[0]
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected.to(dtype), rtol=1e-2, atol=1e-4)


def test_without_gradients_nothing_is_kept() -> None:
    media_nd, text_nd, margin_n = batch(20, 4)
    expected = max_margin_loop(scores(media_nd, text_nd), margin_n.tolist())
    with torch.no_grad():
        loss = max_margin(media_nd.requires_grad_(), text_nd, margin_n)
    assert loss.grad_fn is None
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_module_uses_its_options() -> None:
    media_nd, text_nd, margin_n = batch(6, 3)
    found = MaxMargin(normalize=False)(media_nd, text_nd, margin_n, weight_n=margin_n)
    assert torch.equal(found, max_margin(media_nd, text_nd, margin_n, weight_n=margin_n, normalize=False))


def test_a_margin_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InputError, match=r"margin is -0\.1"):
        max_margin(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0.1, -0.1]))
