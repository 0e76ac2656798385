import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contrast import (
    ConstantSchedule,
    CosineSchedule,
    ShiftedSchedule,
    band,
    check_alpha,
    default_alpha,
    frequency_thirds,
)
from pipelines.errors import InputError
from pipelines.scores import frequency_edges, frequency_third


def test_range_is_that_of_every_sample_at_every_step() -> None:
    shift_n = torch.tensor([0.11, 0.3, 0.17], dtype=torch.float64)
    shifted = ShiftedSchedule(CosineSchedule(0.2, 7), 0.11, 0.3)
    values = torch.stack([shifted(step, shift_n) for step in range(30)])
    assert shifted.range(30) == pytest.approx((values.min().item(), values.max().item()), abs=0)
    assert shifted.range(30)[0] > 0.11 - 0.2 / 2  # seven steps a period miss the trough


def test_alpha_is_refused_with_the_numbers_and_the_limit() -> None:
    with pytest.raises(InputError) as refusal:
        check_alpha(0.12, 0.05, 0.2)
    assert str(refusal.value) == (
        "alpha 0.12 with shifts 0.05 .. 0.2 takes the temperature down to -0.01, which must stay above 0; "
        "give an alpha below 0.1 or raise the smallest shift"
    )
    check_alpha(0.0999, 0.05, 0.2)


def test_the_limit_itself_is_refused_also_after_rounding_to_float32() -> None:
    stored = torch.tensor(0.05).item()
    assert 2 * stored > 0.1
    for smallest in (0.05, stored):
        with pytest.raises(InputError, match=r"below 0\.1 "):
            check_alpha(0.1, smallest, 0.2)


def test_a_cosine_is_refused_even_if_the_run_ends_before_its_trough() -> None:
    shifted = ShiftedSchedule(CosineSchedule(0.2, 1000), 0.05, 0.2)
    assert shifted.range(5)[0] > 0
    with pytest.raises(InputError, match=r"alpha 0\.2 "):
        shifted.check_positive(5)


def test_margins_and_other_schedules_are_held_to_the_same() -> None:
    with pytest.raises(InputError, match=r"margin would fall to -0\.05"):
        ShiftedSchedule(ConstantSchedule(-0.1), 0.05, 0.2).check_positive(11, "margin")
    ShiftedSchedule(ConstantSchedule(-0.04), 0.05, 0.2).check_positive(5, "margin")
    with pytest.raises(InputError, match="no positive temperature"):
        check_alpha(0.0, 0.0, 0.2)
    with pytest.raises(InputError, match="swap"):
        ShiftedSchedule(ConstantSchedule(0.0), 0.3, 0.2)


@pytest.mark.parametrize(
    ("level", "alpha"),
    [(0.17, 0.08), (0.05, 0.08), (torch.tensor(0.05).item(), 0.08), (0.0499, 0.0499), (0.02, 0.02), (0.004, 0.004)],
)
def test_the_default_alpha_is_the_published_one_where_it_fits(level: float, alpha: float) -> None:
    assert default_alpha(level) == alpha
    check_alpha(default_alpha(level), level, level)


def test_band_of_all_and_of_each_third() -> None:
    base = CosineSchedule(0.04, 4)
    sizes = torch.tensor([1, 50, 2, 60, 10, 11, 3])
    shifts = torch.tensor([0.10, 0.19, 0.11, 0.20, 0.15, 0.16, 0.12])
    lines = {line.name: line for line in band(base, shifts, sizes, total_steps=6)}
    assert list(lines) == ["all", "tail", "middle", "head"]
    assert [line.samples for line in lines.values()] == [7, 2, 3, 2]
    assert [line.cluster_sizes for line in lines.values()] == [None, (1, 2), (3, 11), (50, 60)]
    for step in range(6):
        everyone = [base(step) + shift for shift in shifts.tolist()]
        head = [base(step) + shift for shift in (shifts[1].item(), shifts[3].item())]
        for line, values in ((lines["all"], everyone), (lines["head"], head)):
            assert line.minimum[step] == pytest.approx(min(values))
            assert line.mean[step] == pytest.approx(sum(values) / len(values))
            assert line.maximum[step] == pytest.approx(max(values))


def test_band_of_a_long_run_is_sampled_ends_included() -> None:
    (line, *_) = band(ConstantSchedule(0.0), torch.ones(3), torch.ones(3), 1_000_001, points=11)
    assert line.steps == list(range(0, 1_000_001, 100_000))
    (line, *_) = band(ConstantSchedule(0.0), torch.ones(3), torch.ones(3), 1)
    assert line.steps == [0]


def test_thirds_hold_every_sample_once_and_never_part_a_size() -> None:
    sizes = torch.tensor([5, 1, 4, 2, 3, 2, 9, 9])
    thirds = frequency_thirds(sizes)
    assert [sorted(sizes[third].tolist()) for third in thirds] == [[1, 2, 2], [3, 4], [5, 9, 9]]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_thirds_are_those_of_the_scores(sizes: list[int]) -> None:
    expected = frequency_third(np.array(sizes), frequency_edges(np.array(sizes)))
    found = np.empty(len(sizes), dtype=int)
    for third, rows in enumerate(frequency_thirds(torch.tensor(sizes))):
        found[rows.numpy()] = third
    assert found.tolist() == expected.tolist()


def test_lengths_must_match() -> None:
    with pytest.raises(InputError, match="3 shifts and 2 cluster sizes"):
        band(ConstantSchedule(0.0), torch.ones(3), torch.ones(2), 10)
    with pytest.raises(InputError, match="total_steps is 0"):
        band(ConstantSchedule(0.0), torch.ones(3), torch.ones(3), 0)
