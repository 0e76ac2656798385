"""Strategies and gradient caching inside Lightning Fabric, whose wrappers look into outputs and guard ``backward``."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pipelines.contrast import cached_backward, make_strategy


class Towers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.media, self.text = nn.Linear(6, 4), nn.Linear(5, 4)

    def forward(self, part: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.media(part[0]), self.text(part[1])


@pytest.mark.parametrize(("precision", "tolerance"), [("32-true", 1e-5), ("bf16-mixed", 2e-2)])
def test_cached_equals_plain(precision: str, tolerance: float) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    generator = torch.Generator().manual_seed(1)
    media_nd, text_nd = torch.randn(12, 6, generator=generator), torch.randn(12, 5, generator=generator)
    found = []
    for micro_batch in (None, 5):
        torch.manual_seed(0)
        towers, learned = Towers(), make_strategy("learned")
        model, strategy = fabric.setup_module(towers), fabric.setup_module(learned)
        if micro_batch is None:
            loss = strategy(*model((media_nd, text_nd)), step=0).loss
            fabric.backward(loss)
        else:
            loss = cached_backward(
                model,
                list(zip(media_nd.split(micro_batch), text_nd.split(micro_batch), strict=True)),
                lambda media, text, strategy=strategy: strategy(media, text, step=0).loss,
                backward=fabric.backward,
                no_sync=lambda model=model: fabric.no_backward_sync(model),
            )
        grads = [p.grad.flatten() for p in (*towers.parameters(), *learned.parameters())]
        found.append(torch.cat([loss.detach().reshape(1), *grads]))
    assert found[0].abs().min() > 0
    assert (found[0] - found[1]).norm() < tolerance * found[0].norm()
