import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contrast import (
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    Schedule,
    TSSchedule,
    WarmUpSchedule,
    period_steps,
)
from pipelines.errors import InputError

SCHEDULES = [
    ConstantSchedule(0.07),
    CosineSchedule(0.08, 7),
    CosineSchedule(0.08, 7.5, phase=0.3, offset=0.1),
    CosineSchedule(0.0, 10),
    TSSchedule(0.1, 1.0, 13),
    TSSchedule(0.1, 1.0, 6.4, phase=0.5),
    LinearSchedule(0.2, 0.1, 11),
    WarmUpSchedule(CosineSchedule(0.08, 9), 5),
    WarmUpSchedule(LinearSchedule(0.1, 0.3, 4), 3, start=-0.5),
    WarmUpSchedule(ConstantSchedule(0.3), 0),
]


def test_cosine_is_the_formula_of_the_paper() -> None:
    schedule = CosineSchedule(0.08, 100)
    assert schedule(0) == 0.04
    assert schedule(50) == -0.04
    assert schedule(25) == pytest.approx(0, abs=1e-17)
    for step in (0, 1, 33, 99, 100, 12_345):
        assert schedule(step) == pytest.approx(0.04 * math.cos(2 * math.pi * step / 100), abs=1e-12)


def test_phase_moves_the_start_and_offset_the_mean() -> None:
    assert CosineSchedule(0.2, 40, phase=0.5, offset=1.0)(0) == pytest.approx(0.9)
    assert CosineSchedule(0.2, 40, phase=0.25)(3) == pytest.approx(CosineSchedule(0.2, 40)(13))


def test_oscillations_give_the_period() -> None:
    assert CosineSchedule.from_oscillations(0.1, total_steps=1003, oscillations=5).period == 200
    assert period_steps(10, 10) == 1
    assert period_steps(10, 0.5) == 20
    with pytest.raises(InputError, match="11 oscillations don't fit 10 steps"):
        period_steps(10, 11)
    with pytest.raises(InputError, match="oscillations is 0"):
        period_steps(10, 0)


def test_ts_goes_from_its_maximum_to_its_minimum() -> None:
    schedule = TSSchedule(0.1, 1.0, 20)
    assert schedule(0) == 1.0
    assert schedule(10) == pytest.approx(0.1)
    assert schedule(5) == pytest.approx(0.1 + 0.9 / 2)


def test_linear_ends_and_stays() -> None:
    schedule = LinearSchedule(0.2, 0.1, 4)
    assert [schedule(step) for step in (0, 2, 4, 400)] == pytest.approx([0.2, 0.15, 0.1, 0.1])


def test_warm_up_climbs_to_the_first_value_and_then_starts_the_schedule() -> None:
    cosine = CosineSchedule(0.08, 10)
    schedule = WarmUpSchedule(cosine, 4)
    assert [schedule(step) for step in range(4)] == pytest.approx([0, 0.01, 0.02, 0.03])
    assert [schedule(step + 4) for step in range(25)] == [cosine(step) for step in range(25)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("total_steps", [1, 2, 6, 12, 100])
def test_range_is_exactly_what_is_reached(schedule: Schedule, total_steps: int) -> None:
    values = [schedule(step) for step in range(total_steps)]
    assert schedule.range(total_steps) == (min(values), max(values))
    assert min(values) >= schedule.lower_bound() - 1e-15


@given(st.floats(0, 1), st.integers(1, 50), st.floats(-2, 2), st.integers(1, 300))
def test_range_of_any_cosine(alpha: float, period: int, phase: float, total_steps: int) -> None:
    schedule = CosineSchedule(alpha, period, phase)
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
        (lambda: TSSchedule(1.0, 0.1, 10), "swap"),
        (lambda: TSSchedule(0.1, 1.0, -1), "period is -1"),
        (lambda: LinearSchedule(0.1, 1.0, 0), "steps is 0"),
        (lambda: WarmUpSchedule(ConstantSchedule(1.0), -1), "steps is -1"),
    ],
)
def test_wrong_arguments_are_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
