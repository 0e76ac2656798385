import math

import pytest
import torch

from pipelines.contrast import (
    CosineSchedule,
    ISogCLR,
    Learned,
    MaxMargin,
    MMTSLearned,
    TempNet,
    info_nce,
    make_strategy,
)
from pipelines.errors import InputError

from .cases import build, inputs


def test_clip_s_start_clamp_and_missing_weight_decay() -> None:
    strategy = make_strategy("learned")
    assert strategy.logit_scale.item() == pytest.approx(math.log(1 / 0.07), rel=1e-6)
    assert strategy.parameter_groups() == [{"params": [strategy.logit_scale], "weight_decay": 0.0}]
    with torch.no_grad():
        strategy.logit_scale.fill_(10.0)
    output = strategy(torch.eye(3), torch.eye(3), step=0)
    assert output.temperature_n.tolist() == pytest.approx([0.01] * 3)
    assert strategy.logit_scale.item() == pytest.approx(math.log(100))
    output.loss.backward()
    assert strategy.logit_scale.grad is not None


def test_gradient_of_logit_scale() -> None:
    given = inputs()
    strategy = build("learned", "infonce")
    strategy(given["media_nd"], given["text_nd"], step=0).loss.backward()

    def loss(logit_scale: float) -> float:
        return info_nce(given["media_nd"], given["text_nd"], math.exp(-logit_scale)).item()

    at, small = strategy.logit_scale.item(), 1e-5
    numeric = (loss(at + small) - loss(at - small)) / (2 * small)
    assert strategy.logit_scale.grad.item() == pytest.approx(numeric, rel=1e-7)


def test_mmts_learned_starts_as_mmts_and_moves_the_whole_band() -> None:
    given = inputs()
    arguments = given["media_nd"], given["text_nd"]
    for step in (0, 4, 5):
        learned = build("mmts-learned", "infonce")
        found = learned(*arguments, step=step, shift_n=given["shift_n"])
        expected = build("mmts", "infonce")(*arguments, step=step, shift_n=given["shift_n"])
        torch.testing.assert_close(found.temperature_n, expected.temperature_n, rtol=1e-6, atol=0)
        with torch.no_grad():
            learned.logit_scale -= 1
        moved = learned(*arguments, step=step, shift_n=given["shift_n"]).temperature_n - found.temperature_n
        torch.testing.assert_close(moved, torch.full_like(moved, 0.01 * (math.e - 1)), rtol=1e-5, atol=0)


def test_mmts_learned_never_goes_below_clip_s_floor() -> None:
    strategy = build("mmts-learned", "infonce")
    with torch.no_grad():
        strategy.logit_scale.fill_(50.0)
    shift_n = torch.tensor([0.05, 0.2], dtype=torch.float64)
    lowest = min(
        strategy(torch.eye(2), torch.eye(2), step=step, shift_n=shift_n).temperature_n.min().item()
        for step in range(10)
    )
    assert lowest == pytest.approx(0.01, rel=1e-6)
    assert strategy.range(10) == pytest.approx((0.01, math.inf))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Learned(0.1, MaxMargin()),
        lambda: MMTSLearned(CosineSchedule(0.08, 10), (0.05, 0.2), MaxMargin()),
        lambda: ISogCLR(["a"], tau=0.1, tau_min=0.1, tau_max=0.1, rho=1, loss=MaxMargin()),
        lambda: TempNet(2, ["a"], tau_min=0.1, tau_max=0.2, rho=1, loss=MaxMargin()),
    ],
)
def test_margins_can_not_be_learned(make: object) -> None:
    with pytest.raises(InputError, match="doesn't work with loss 'max-margin'"):
        make()


def test_a_start_below_the_clamp_is_refused() -> None:
    with pytest.raises(InputError, match=r"start at 0\.001"):
        make_strategy("learned", tau=0.001)
    with pytest.raises(InputError, match=r"below the 0\.01"):
        make_strategy("mmts-learned", alpha=0.09, period=10, shift_range=(0.05, 0.2))
    with pytest.raises(InputError, match=r"alpha below 0\.1 "):
        make_strategy("mmts-learned", alpha=0.2, period=10, shift_range=(0.05, 0.2))
