import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contrast import InfoNCE, info_nce
from pipelines.errors import InputError

from ..oracles import batch, dense, gradients, info_nce_loop, related, scores


@pytest.mark.parametrize("n", [1, 2, 3, 257])
@pytest.mark.parametrize("tile_size", [None, 1, 64])
def test_equals_the_explicit_loop(n: int, tile_size: int | None) -> None:
    if n == 257 and tile_size == 1:
        tile_size = 100
    media_nd, text_nd, tau_n = batch(n, 5)
    expected = info_nce_loop(scores(media_nd, text_nd), [tau_n.tolist()] * 2)
    assert info_nce(media_nd, text_nd, tau_n, tile_size=tile_size).item() == pytest.approx(
        expected, rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize("n", [1, 2, 3, 257])
@pytest.mark.parametrize("scale", [1.0, 0.01])  # temperatures small enough for running maxima, and not
def test_gradients_equal_dense_autograd(n: int, scale: float) -> None:
    inputs = [x.requires_grad_() for x in batch(n, 7)]
    media_nd, text_nd, tau_n = inputs
    found = gradients(info_nce(media_nd, text_nd, tau_n * scale, tile_size=100), *inputs)
    for grad, expected in zip(found, gradients(dense(InfoNCE)(media_nd, text_nd, tau_n * scale), *inputs), strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-9, atol=1e-11)


def test_gradcheck() -> None:
    media_nd, text_nd, tau_n = (x.requires_grad_() for x in batch(5, 3))
    text_tau_n = (tau_n.detach() + 0.1).requires_grad_()

    def loss(*inputs: torch.Tensor) -> torch.Tensor:
        return info_nce(*inputs[:3], text_temperature_n=inputs[3], tile_size=2)

    assert torch.autograd.gradcheck(loss, (media_nd, text_nd, tau_n, text_tau_n))


@settings(max_examples=60)
@given(
    n=st.integers(1, 12),
    d=st.integers(1, 6),
    tile_size=st.integers(1, 15),
    low=st.floats(1e-3, 10),
    spread=st.floats(0, 2),
    seed=st.integers(0, 1000),
    unit=st.booleans(),
)
def test_any_shape_tile_and_temperature(
    n: int, d: int, tile_size: int, low: float, spread: float, seed: int, unit: bool
) -> None:
    media_nd, text_nd, tau_n = batch(n, d, seed)
    tau_n = low + spread * tau_n
    expected = info_nce_loop(scores(media_nd, text_nd, unit), [tau_n.tolist()] * 2)
    found = info_nce(media_nd, text_nd, tau_n, tile_size=tile_size, normalize=unit).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


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
    media_nd, text_nd, tau_n = batch(n, 4, seed)
    generator = torch.Generator().manual_seed(seed)
    ids = [None if k is None else torch.randint(k, (n,), generator=generator) for k in (media_groups, text_groups)]
    weight_n = torch.rand(n, generator=generator).double() + 0.1 if weighted else None
    expected = info_nce_loop(
        scores(media_nd, text_nd),
        [tau_n.tolist(), (tau_n * 2).tolist()],
        related(n, *(None if group is None else group.tolist() for group in ids)),
        mode,
        None if weight_n is None else weight_n.tolist(),
    )
    found = info_nce(
        media_nd,
        text_nd,
        tau_n,
        text_temperature_n=tau_n * 2,
        media_group_n=ids[0],
        text_group_n=ids[1],
        related=mode,
        weight_n=weight_n,
        tile_size=tile_size,
    )
    assert found.item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("mode", ["mask", "count"])
def test_gradcheck_with_groups_and_weights(mode: str) -> None:
    media_nd, text_nd, tau_n = (x.requires_grad_() for x in batch(6, 3))
    group_n, weight_n = torch.tensor([0, 0, 1, 2, 1, 3]), torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5, 1.0])

    def loss(*inputs: torch.Tensor) -> torch.Tensor:
        return info_nce(*inputs, media_group_n=group_n, related=mode, weight_n=weight_n, tile_size=4)

    assert torch.autograd.gradcheck(loss, (media_nd, text_nd, tau_n))


@pytest.mark.parametrize("tau", [1e-3, 10.0])
def test_extreme_temperatures_stay_finite_in_float32(tau: float) -> None:
    media_nd, text_nd, _ = (x.requires_grad_() for x in batch(300, 8, dtype=torch.float32))
    loss = info_nce(media_nd, text_nd, tau, tile_size=128)
    expected = dense(InfoNCE)(media_nd.double(), text_nd.double(), torch.full((300,), tau, dtype=torch.float64))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    found, wanted = gradients(loss, media_nd, text_nd), gradients(expected, media_nd, text_nd)
    for grad, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(dtype: torch.dtype) -> None:
    media_nd, text_nd, tau_n = batch(200, 16, dtype=dtype)
    media_nd.requires_grad_()
    loss = info_nce(media_nd, text_nd, tau_n)
    same = media_nd.detach().float().requires_grad_()
    exact = info_nce(same, text_nd.float(), tau_n.float())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
    (grad,), (expected,) = gradients(loss, media_nd), gradients(exact, same)
    assert grad.dtype == dtype
    torch.testing.assert_close(grad, expected.to(dtype), rtol=1e-2, atol=1e-6)


def test_autocast_does_not_lower_the_precision() -> None:
    media_nd, text_nd, tau_n = batch(50, 16, dtype=torch.float32)
    media_nd.requires_grad_()
    plain = info_nce(media_nd, text_nd, tau_n)
    with torch.autocast("cpu", torch.bfloat16):
        cast = info_nce(media_nd, text_nd, tau_n)
        grad = gradients(cast, media_nd)[0]
    assert cast.item() == plain.item()
    assert torch.equal(grad, gradients(plain, media_nd)[0])


def test_module_uses_its_options() -> None:
    media_nd, text_nd, tau_n = batch(6, 3)
    found = InfoNCE(normalize=False)(media_nd, text_nd, tau_n, weight_n=tau_n)
    assert torch.equal(found, info_nce(media_nd, text_nd, tau_n, weight_n=tau_n, normalize=False))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"temperature_n": 0.0}, "must be positive"),
        ({"temperature_n": torch.tensor([0.1, -0.1, 0.1])}, "-0.1"),
        ({"temperature_n": float("nan")}, "nan"),
        ({"temperature_n": torch.ones(2)}, r"one for each of the 3 pairs"),
        ({"text_nd": torch.ones(2, 4)}, r"\(3, 4\) and \(2, 4\)"),
        ({"weight_n": torch.zeros(3)}, "not all zero"),
        ({"weight_n": torch.tensor([1.0, -1.0, 1.0])}, "not negative"),
        ({"media_group_n": torch.zeros(2)}, "media_group_n has shape"),
        ({"related": "drop"}, "'mask' or 'count'"),
        ({"tile_size": 0}, "tile_size is 0"),
        ({"media_nd": torch.ones(0, 4), "text_nd": torch.ones(0, 4)}, "empty"),
    ],
)
def test_wrong_input_is_refused(arguments: dict[str, object], words: str) -> None:
    defaults = {"media_nd": torch.ones(3, 4), "text_nd": torch.ones(3, 4), "temperature_n": 0.1}
    with pytest.raises(InputError, match=words):
        info_nce(**{**defaults, **arguments})


@pytest.mark.parametrize("tau", [0.014, 0.01])
def test_gradients_of_a_solved_batch_are_as_small_as_they_are(tau: float) -> None:
    """In float32, where log-sum-exps are relative to the largest score: nothing is left where the two cancel."""
    generator = torch.Generator().manual_seed(0)
    media_nd, noise_nd = (torch.nn.functional.normalize(torch.randn(300, 64, generator=generator)) for _ in range(2))
    text_nd = media_nd + 0.5 * noise_nd
    found, exact = (
        gradients(info_nce(media, text_nd.to(media.dtype), tau), media)[0]
        for media in (media_nd.clone().requires_grad_(), media_nd.double().requires_grad_())
    )
    assert (found - exact).norm() < 5e-7  # 3e-6 where exponents were rounded in another base
