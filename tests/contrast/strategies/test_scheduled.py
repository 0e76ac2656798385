import pytest
import torch

from pipelines.contrast import CosineSchedule, info_nce, make_strategy, max_margin
from pipelines.errors import InputError

from .cases import build, inputs

LOSSES = {"infonce": info_nce, "max-margin": max_margin}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("step", [0, 3, 5, 1000])
def test_each_is_its_loss_at_its_schedule(loss: str, step: int) -> None:
    given = inputs()
    media_nd, text_nd, shift_n = given["media_nd"], given["text_nd"], given["shift_n"]
    level = {"infonce": 0.07, "max-margin": 0.2}[loss]
    wave = CosineSchedule(0.08, 10)(step)
    expected = {
        "fixed": level,
        "cosine": level + wave,
        "ts": 0.1 + 0.9 * (wave + 0.04) / 0.08,
        "mmts": wave + shift_n,
    }
    for name, value in expected.items():
        output = build(name, loss)(media_nd, text_nd, step=step, shift_n=shift_n)
        assert output.loss.item() == pytest.approx(LOSSES[loss](media_nd, text_nd, value).item(), rel=1e-10)
        torch.testing.assert_close(output.temperature_n, torch.ones(len(media_nd)).double() * value)


def test_groups_weights_and_options_reach_the_loss() -> None:
    given = inputs()
    for loss, function in LOSSES.items():
        strategy = build("mmts", loss, normalize=False, related="count", tile_size=5)
        found = strategy(**given, step=0).loss
        del given["sample_n"]
        shift_n = given.pop("shift_n")
        expected = function(*(given.pop(k) for k in ("media_nd", "text_nd")), shift_n + 0.04, normalize=False,
                            related="count", **given)  # fmt: skip
        assert found.item() == pytest.approx(expected.item(), rel=1e-10)
        given = inputs()


def test_mmts_says_its_range_and_refuses_what_is_not_positive() -> None:
    strategy = make_strategy("mmts", alpha=0.08, total_steps=100, oscillations=5, shift_range=(0.05, 0.2))
    assert strategy.range(100) == pytest.approx((0.01, 0.24))
    with pytest.raises(InputError, match=r"give an alpha below 0\.1 "):
        make_strategy("mmts", alpha=0.1, total_steps=100, shift_range=(0.05, 0.2))
    with pytest.raises(InputError, match="margin down to"):
        make_strategy("mmts", loss="max-margin", alpha=0.4, total_steps=100, shift_range=(0.17, 0.3))
    with pytest.raises(InputError, match="temperature down to"):
        make_strategy("cosine", tau=0.04, alpha=0.08, total_steps=100)


def test_alpha_zero_is_shifts_alone_and_needs_no_period() -> None:
    given = inputs()
    strategy = make_strategy("mmts", alpha=0.0, shift_range=(0.05, 0.2))
    output = strategy(given["media_nd"], given["text_nd"], step=17, shift_n=given["shift_n"])
    assert torch.equal(output.temperature_n, given["shift_n"])


def test_missing_shifts_are_refused() -> None:
    given = inputs()
    with pytest.raises(InputError, match="needs shift_n"):
        build("mmts", "infonce")(given["media_nd"], given["text_nd"], step=0)
    with pytest.raises(InputError, match="shift_n has shape"):
        build("mmts", "infonce")(given["media_nd"], given["text_nd"], step=0, shift_n=torch.ones(2))


def test_schedules_have_nothing_to_learn_or_to_save() -> None:
    for name in ("fixed", "cosine", "mmts", "ts"):
        strategy = build(name, "infonce")
        assert strategy.parameter_groups() == []
        assert not strategy.state_dict()
