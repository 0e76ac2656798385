import pytest

from pipelines.contrast import STRATEGIES, make_strategy
from pipelines.errors import InputError

from .cases import CASES


def test_the_cases_the_tests_share_cover_every_name() -> None:
    assert {name for name, _ in CASES} == set(STRATEGIES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "warm"}, "'warm' is unknown; choose one of fixed, learned"),
        ({"name": "fixed", "loss": "triplet"}, "'triplet' is unknown"),
        ({"name": "mmts", "period": 5}, "'mmts' needs shifts"),
        ({"name": "cosine"}, "'cosine' needs a period"),
        ({"name": "isogclr"}, "needs the ids"),
        ({"name": "tempnet"}, "number of columns"),
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
