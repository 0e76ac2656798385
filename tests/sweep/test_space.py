"""What is searched: as many trials for each way, over the whole of each option's range."""

import numpy as np
import pytest

from pipelines.contrast import LOSSES, STRATEGIES
from pipelines.errors import InputError
from pipelines.sweep.space import OPTIONS, check_search, draw, find_ways

ALL = ("fixed", "learned", "cosine", "ts", "shifts", "mmts", "mmts-learned", "isogclr", "tempnet")
BALANCED = ("fixed+sampling", "fixed+adjust", "fixed+weight", "fixed+duplicates", "mmts+sampling")


def ways(*names: str, losses: tuple[str, ...] = ("infonce",)):
    return find_ways(names, losses)


def test_every_strategy_can_be_searched() -> None:
    assert set(STRATEGIES) | {"shifts"} == set(ALL)


@pytest.mark.parametrize("way", ways(*ALL, *BALANCED, losses=tuple(LOSSES)), ids=lambda way: f"{way.name}-{way.loss}")
def test_all_ways_have_the_same_levels_and_cover_their_options(way) -> None:
    drawn = draw(way, 5, 0, {})
    middle = LOSSES[way.loss].default_level
    np.testing.assert_allclose([each["level"] for each in drawn], middle * 3 ** np.linspace(-1, 1, 5), rtol=0.01)
    assert {name for each in drawn for name in each} == {"level", *way.options}
    for name in way.options:
        option = OPTIONS[name]
        values = [each[name] for each in drawn]
        if option.choices:
            assert set(values) == set(option.choices) or len(option.choices) > 5
        else:
            places = sorted(
                np.log(np.array(values) / option.low) / np.log(option.high / option.low)
                if option.is_log
                else (np.array(values) - option.low) / (option.high - option.low)
            )
            np.testing.assert_allclose(places, (np.arange(5) + 0.5) / 5, atol=0.01)


def test_a_way_draws_the_same_whatever_else_is_compared() -> None:
    (alone,) = ways("mmts")
    _, beside = ways("fixed", "mmts")
    assert draw(alone, 4, 3, {}) == draw(beside, 4, 3, {})
    assert draw(alone, 4, 3, {}) != draw(alone, 4, 4, {})


def test_options_become_settings_of_a_run() -> None:
    (mmts,) = ways("mmts")
    drawn = {"level": 0.08, "tail": -0.5, "rule": "log", "swing": 0.25, "oscillations": 2.0}
    assert mmts.settings(drawn) == {
        "loss": "infonce",
        "temperature": "mmts",
        "shifts": {"level": 0.08, "tail": -0.5, "rule": "log"},
        "alpha": 0.02,  # a quarter of the lowest shift, 0.04, on both sides
        "oscillations": 2.0,
    }
    (shifts,) = ways("shifts")
    assert shifts.settings({"level": 0.1, "tail": 0.5, "rule": "rank"})["alpha"] == 0
    (ts,) = ways("ts")
    assert ts.settings({"level": 0.1, "spread": 4.0, "oscillations": 5.0}) == {
        **{"loss": "infonce", "temperature": "ts", "tau_min": 0.05, "tau_max": 0.2, "oscillations": 5.0}
    }
    (resampled,) = ways("fixed+sampling")
    assert resampled.settings({"level": 0.1, "power": 0.3}) == {
        **{"loss": "infonce", "temperature": "fixed", "tau": 0.1, "sampling": "cluster", "power": 0.3}
    }


def test_other_ranges() -> None:
    (mmts,) = ways("mmts")
    drawn = draw(mmts, 3, 0, {"level": [0.05, 0.2], "tail": [0.25], "rule": ["rank"], "oscillations": [3]})
    assert [each["level"] for each in drawn] == [0.05, 0.1, 0.2]
    assert {(each["tail"], each["rule"], each["oscillations"]) for each in drawn} == {(0.25, "rank", 3.0)}


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"levle": [0.1]}, "search levle: .*did you mean 'level'"),
        ({"rho": [1.0]}, "search rho: none of the strategies has it"),
        ({"level": [0.2, 0.1]}, "search level = 0.2 0.1: expected numbers from 0.0001 to 10000, the lowest first"),
        ({"level": ["a"]}, "search level = a: expected the lowest and the highest number"),
        ({"tail": [-2.0, 1.0]}, "search tail = -2.0 1.0: expected numbers from -1 to 1"),
        ({"rule": ["cubic"]}, "search rule = cubic: expected some of linear, log, rank"),
        ({"oscillations": []}, "search oscillations = : expected numbers"),
    ],
)
def test_ranges_without_sense_are_refused(search, message) -> None:
    with pytest.raises(InputError, match=message):
        check_search(search, ways("mmts"))


@pytest.mark.parametrize(
    ("names", "losses", "message"),
    [
        (["fixt"], ["infonce"], "--strategies fixt: .*did you mean 'fixed'"),
        (["fixed+sampl"], ["infonce"], r"--strategies fixed\+sampl: .* after \+; did you mean 'sampling'"),
        (["fixed", "fixed"], ["infonce"], "--strategies fixed: is given twice"),
        ([], ["infonce"], "--strategies: is empty"),
        (["fixed"], ["hinge"], "--losses hinge: expected one of"),
        (["tempnet"], ["max-margin"], "--strategies tempnet: works with none of the losses max-margin"),
        (["fixed+adjust"], ["max-margin"], r"--strategies fixed\+adjust: works with none of the losses"),
    ],
)
def test_ways_that_there_are_not_are_refused(names, losses, message) -> None:
    with pytest.raises(InputError, match=message):
        find_ways(names, losses)
