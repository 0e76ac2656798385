import pytest

from pipelines.contrast import LOSSES, STRATEGIES, make_strategy
from pipelines.errors import InputError

from .cases import build


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "warm"}, "'warm' is unknown; choose one of fixed, learned"),
        ({"name": "fixed", "loss": "triplet"}, "'triplet' is unknown; choose one of infonce, max-margin"),
        ({"name": "mmts", "period": 5}, "'mmts' needs shifts"),
        ({"name": "cosine"}, "'cosine' needs a period"),
        ({"name": "isogclr"}, "needs the ids"),
        ({"name": "tempnet"}, "number of columns"),
        ({"name": "tempnet", "embedding_size": 3}, "'tempnet' needs the ids"),
        ({"name": "ts", "tau_min": 0.5, "tau_max": 0.1, "period": 3}, "tau_min 0.5 is above tau_max 0.1; swap"),
        ({"name": "fixed", "tau": -1.0, "total_steps": 5}, "temperature would fall to -1"),
        ({"name": "cosine", "total_steps": 3}, "oscillations don't fit"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_strategy(**arguments)


def test_oscillations_and_period_say_the_same() -> None:
    first = make_strategy("cosine", tau=0.1, total_steps=100, oscillations=4)
    second = make_strategy("cosine", tau=0.1, period=25)
    assert first.schedule == second.schedule


@pytest.mark.parametrize(
    ("arguments", "alpha"),
    [
        ({"name": "mmts", "shift_range": (0.05, 0.2)}, 0.08),
        ({"name": "mmts", "shift_range": (0.02, 0.06)}, 0.02),
        ({"name": "mmts-learned", "shift_range": (0.03, 0.06)}, 0.03),
        ({"name": "mmts", "shift_range": (0.02, 0.06), "alpha": 0.01}, 0.01),
        ({"name": "cosine"}, 0.08),
        ({"name": "cosine", "tau": 0.04}, 0.04),
    ],
)
def test_the_default_alpha_fits_and_is_told(arguments: dict[str, object], alpha: float) -> None:
    strategy = make_strategy(**arguments, total_steps=100)
    assert strategy.settings["alpha"] == alpha
    schedule = strategy.schedule if arguments["name"] == "cosine" else strategy.shifted.base
    assert schedule.alpha == alpha


def test_settings_are_the_numbers_used() -> None:
    assert make_strategy("fixed", loss="max-margin").settings == {"tau": 0.2}
    assert make_strategy("ts", period=3, tau_max=0.5).settings == {"tau_min": 0.1, "tau_max": 0.5, "oscillations": 5}
    assert make_strategy("isogclr", sample_ids=["a"]).settings == {
        **{"tau": 0.05, "tau_min": 0.005, "tau_max": 0.05, "rho": 8.0}
    }


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_loss_it_does_not_work_with_is_refused(name: str) -> None:
    for loss in set(LOSSES) - set(STRATEGIES[name].losses):
        with pytest.raises(InputError, match=f"'{name}' doesn't work with loss '{loss}': .*; use loss infonce"):
            build(name, loss)


def test_names_lead_to_their_classes() -> None:
    for name, kind in LOSSES.items():
        assert kind.load().name == name
