import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contrast import (
    ConstantSchedule,
    CosineSchedule,
    Schedule,
    period_steps,
)
from pipelines.errors import InputError

SCHEDULES = [
    ConstantSchedule(0.07),
    CosineSchedule(0.08, 7),
    CosineSchedule(0.08, 7.5, mean=0.1),
    CosineSchedule(0.0, 10),
]


def test_cosine_is_the_formula_of_the_paper() -> None:
    schedule = CosineSchedule(0.08, 100)
    assert schedule(0) == 0.04
    assert schedule(50) == -0.04
    assert schedule(25) == pytest.approx(0, abs=1e-17)
    for step in (0, 1, 33, 99, 100, 12_345):
        assert schedule(step) == pytest.approx(0.04 * math.cos(2 * math.pi * step / 100), abs=1e-12)


def test_the_mean_moves_every_value() -> None:
    plain = CosineSchedule(0.2, 40)
    assert [CosineSchedule(0.2, 40, mean=1.0)(step) for step in (0, 13, 20)] == [
        pytest.approx(1 + plain(step)) for step in (0, 13, 20)
    ]


def test_oscillations_give_the_period() -> None:
    assert CosineSchedule.from_oscillations(0.1, total_steps=1003, oscillations=5).period == 200
    assert period_steps(10, 10) == 1
    assert period_steps(10, 0.5) == 20
    with pytest.raises(InputError, match="11 oscillations don't fit 10 steps"):
        period_steps(10, 11)
    with pytest.raises(InputError, match="oscillations is 0"):
        period_steps(10, 0)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("total_steps", [1, 2, 6, 12, 100])
def test_range_is_exactly_what_is_reached(schedule: Schedule, total_steps: int) -> None:
    values = [schedule(step) for step in range(total_steps)]
    assert schedule.range(total_steps) == (min(values), max(values))
    assert min(values) >= schedule.lower_bound() - 1e-15


@given(st.floats(0, 1), st.integers(1, 50), st.floats(-2, 2), st.integers(1, 300))
def test_range_of_any_cosine(alpha: float, period: int, mean: float, total_steps: int) -> None:
    schedule = CosineSchedule(alpha, period, mean)
    values = [schedule(step) for step in range(total_steps)]
    assert schedule.range(total_steps) == (min(values), max(values))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_without_steps_has_no_range(schedule: Schedule) -> None:
    with pytest.raises(InputError, match="at least one step"):
        schedule.range(0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CosineSchedule(-0.1, 10), "alpha is -0.1"),
        (lambda: CosineSchedule(0.1, 0), "period is 0"),
    ],
)
def test_wrong_arguments_are_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
