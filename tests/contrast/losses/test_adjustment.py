"""Logit adjustment: a constant is added to the logits that have a pair as candidate, in all losses with logits."""

import pytest
import torch
from torch import Tensor

from pipelines.contrast import info_nce, make_strategy, max_margin, sigmoid
from pipelines.errors import InputError

from ..oracles import batch, info_nce_loop, related, scores, sigmoid_loop

LOSSES = {"infonce": info_nce, "sigmoid": sigmoid}
N = 9
GROUP = torch.tensor([0, 1, 0, 2, 3, 4, 1, 5, 6])
ADDED = 1.5 * torch.log(torch.tensor([5, 90, 1, 40, 5, 1, 1, 400, 3], dtype=torch.float64) / 600)


def by_loop(loss: str, media_nd: Tensor, text_nd: Tensor, tau_n: Tensor, mode: str) -> float:
    s, tau = scores(media_nd, text_nd), tau_n.tolist()
    options = {"same": related(N, None, GROUP.tolist()), "mode": mode, "added": ADDED.tolist()}
    return info_nce_loop(s, [tau, tau], **options) if loss == "infonce" else sigmoid_loop(s, tau, **options)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", ["mask", "count"])
@pytest.mark.parametrize("scale", [1.0, 0.01])  # the second too low for sums of exponentials as they are
def test_equals_the_explicit_loop(loss: str, mode: str, scale: float) -> None:
    media_nd, text_nd, tau_n = batch(N, 4)
    options = {"text_group_n": GROUP, "related": mode, "tile_size": 4}
    found = LOSSES[loss](media_nd, text_nd, tau_n * scale, adjustment_n=ADDED, **options).item()
    assert found == pytest.approx(by_loop(loss, media_nd, text_nd, tau_n * scale, mode), rel=1e-10)
    assert found != pytest.approx(LOSSES[loss](media_nd, text_nd, tau_n * scale, **options).item(), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_gradcheck(loss: str, scale: float) -> None:
    media_nd, text_nd, tau_n = batch(N, 3)
    inputs = [x.requires_grad_() for x in (media_nd, text_nd, tau_n * scale + 0.005)]
    assert torch.autograd.gradcheck(lambda *x: LOSSES[loss](*x, adjustment_n=ADDED, tile_size=4), inputs, rtol=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_agrees_with_float64(loss: str) -> None:
    inputs = batch(N, 8, dtype=torch.float32)
    found = LOSSES[loss](*inputs, adjustment_n=ADDED)
    assert found.dtype == torch.float32
    exact = LOSSES[loss](*(each.double() for each in inputs), adjustment_n=ADDED)
    assert found.item() == pytest.approx(exact.item(), rel=1e-5)


def test_what_has_no_logits_refuses_it() -> None:
    media_nd, text_nd, tau_n = batch(N, 3)
    with pytest.raises(InputError, match="adjustment_n adds to the logits of InfoNCE or the sigmoid loss"):
        max_margin(media_nd, text_nd, tau_n, adjustment_n=ADDED)
    strategy = make_strategy("isogclr", sample_ids=[str(number) for number in range(N)])
    with pytest.raises(InputError, match="adjustment_n adds to the logits"):
        strategy(media_nd, text_nd, step=0, sample_n=torch.arange(N), adjustment_n=ADDED)
