import copy

import pytest
import torch
from torch import Tensor, nn

from pipelines.contrast import cached_backward, make_strategy
from pipelines.errors import InputError

N, SIZE = 24, 6


def towers() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {side: nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, SIZE)) for side in ("media", "text")}
    ).double()


def data() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    media_nd, text_nd = (torch.randn(N, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return media_nd, text_nd, torch.rand(N, generator=generator, dtype=torch.float64) * 0.1 + 0.1


def strategy(name: str, loss: str) -> nn.Module:
    torch.manual_seed(2)
    return make_strategy(
        name,
        loss=loss,
        period=10,
        shift_range=(0.1, 0.2),
        sample_ids=[str(i) for i in range(N)],
        embedding_size=SIZE,
    ).double()


def gradients(*modules: nn.Module) -> list[Tensor]:
    return [parameter.grad for module in modules for parameter in module.parameters()]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mmts", "infonce"),
        ("mmts", "max-margin"),
        ("learned", "infonce"),
        ("mmts-learned", "infonce"),
        ("tempnet", "infonce"),
        ("isogclr", "infonce"),
    ],
)
@pytest.mark.parametrize("micro_batch", [24, 7, 1])
def test_equals_the_plain_large_batch(name: str, loss: str, micro_batch: int) -> None:
    media_nd, text_nd, shift_n = data()
    options = {"step": 3, "shift_n": shift_n, "sample_n": torch.arange(N)}
    plain_towers, plain = towers(), strategy(name, loss)
    expected = plain(plain_towers["media"](media_nd), plain_towers["text"](text_nd), **options).loss
    expected.backward()
    cached_towers, cached = towers(), strategy(name, loss)
    found = cached_backward(
        lambda part: (cached_towers["media"](part[0]), cached_towers["text"](part[1])),
        list(zip(media_nd.split(micro_batch), text_nd.split(micro_batch), strict=True)),
        lambda media, text: cached(media, text, **options).loss,
    )
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    for grad, wanted in zip(gradients(cached_towers, cached), gradients(plain_towers, plain), strict=True):
        torch.testing.assert_close(grad, wanted, rtol=1e-9, atol=1e-13)
    for state, wanted in zip(cached.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(state, wanted)


def test_dropout_draws_the_same_masks_again_and_random_numbers_go_on() -> None:
    media_nd, text_nd, _ = data()
    encoder = nn.Sequential(nn.Linear(5, SIZE), nn.Dropout(0.5)).double()
    seen: list[Tensor] = []

    def embed(part: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        both = encoder(part[0]), encoder(part[1])
        seen.append(torch.cat(both).detach())
        return both

    torch.manual_seed(3)
    parts = list(zip(media_nd.split(8), text_nd.split(8), strict=True))
    cached_backward(embed, parts, lambda media, text: (media * text).sum() + torch.rand(()))
    after = torch.rand(1)
    assert all(torch.equal(first, second) for first, second in zip(seen[:3], seen[3:], strict=True))
    torch.manual_seed(3)
    for part in parts:
        embed(part)
    torch.rand(())
    assert torch.equal(after, torch.rand(1))


def test_a_backward_that_scales_does_so_once() -> None:
    media_nd, text_nd, _ = data()
    results = []
    for scale in (1.0, 1024.0):
        model, learned = towers(), strategy("learned", "infonce")
        cached_backward(
            lambda part, model=model: (model["media"](part[0]), model["text"](part[1])),
            list(zip(media_nd.split(8), text_nd.split(8), strict=True)),
            lambda media, text, learned=learned: learned(media, text, step=0).loss,
            backward=lambda loss, scale=scale: (loss * scale).backward(),
        )
        results.append(gradients(model, learned))
    for plain, scaled in zip(*results, strict=True):
        torch.testing.assert_close(scaled, plain * 1024.0, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_embeddings_stand_a_gradient_scaler_s_first_scale(dtype: torch.dtype) -> None:
    media_nd, text_nd, _ = data()
    results = []
    for precision, scale in ((torch.float32, 1.0), (dtype, 65536.0)):
        model, learned = towers().float(), make_strategy("learned", tau=0.5)
        cached_backward(
            lambda part, model=model, precision=precision: tuple(
                (16 * model[side](rows.float())).to(precision)
                for side, rows in zip(("media", "text"), part, strict=True)
            ),
            list(zip(media_nd.split(8), text_nd.split(8), strict=True)),
            lambda media, text, learned=learned: learned(media, text, step=0).loss,
            backward=lambda loss, scale=scale: (loss * scale).backward(),
        )
        results.append(torch.cat([grad.flatten() / scale for grad in gradients(model, learned)]))
    assert results[1].isfinite().all()
    assert (results[0] - results[1]).norm() < 0.02 * results[0].norm()


def test_gradients_are_averaged_over_processes_only_in_the_last_micro_batch() -> None:
    media_nd, text_nd, _ = data()
    model = towers()
    events: list[str] = []

    class NoSync:
        def __enter__(self) -> None:
            events.append("off")

        def __exit__(self, *_: object) -> None:
            events.append("on")

    def backward(loss: Tensor) -> None:
        events.append("backward")
        loss.backward()

    cached_backward(
        lambda part: (model["media"](part[0]), model["text"](part[1])),
        list(zip(media_nd.split(8), text_nd.split(8), strict=True)),
        lambda media, text: (media * text).sum(),
        backward=backward,
        no_sync=NoSync,
    )
    assert events == ["backward", *(["off", "backward", "on"] * 2), "backward"]


def test_a_frozen_tower_is_left_alone() -> None:
    media_nd, text_nd, _ = data()
    model = towers()
    model["text"].requires_grad_(False)
    frozen = copy.deepcopy(model["text"].state_dict())
    cached_backward(
        lambda part: (model["media"](part[0]), model["text"](part[1])),
        [(media_nd, text_nd)],
        lambda media, text: (media * text).sum(),
    )
    assert all(parameter.grad is None for parameter in model["text"].parameters())
    assert all(parameter.grad is not None for parameter in model["media"].parameters())
    assert all(torch.equal(frozen[key], value) for key, value in model["text"].state_dict().items())


def test_no_micro_batch_is_refused() -> None:
    with pytest.raises(InputError, match="no micro-batches"):
        cached_backward(lambda part: part, [], lambda: torch.zeros(()))
