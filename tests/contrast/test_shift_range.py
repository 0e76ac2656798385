import math

import pytest

from pipelines.contrast import dial
from pipelines.errors import InputError


def test_the_published_ranges_are_points_on_it() -> None:
    assert dial(0.1, 0.5) == (0.05, 0.2)  # exactly: their command-line defaults
    assert dial(0.2258, 0.2049) == pytest.approx((0.17, 0.30), abs=5e-5)  # EK-100, arXiv 2603.08202


@pytest.mark.parametrize(
    ("tail", "ends"), [(0, (0.3, 0.3)), (1, (0.075, 1.2)), (-1, (1.2, 0.075)), (-0.5, (0.6, 0.15))]
)
def test_ends_by_hand(tail: float, ends: tuple[float, float]) -> None:
    assert dial(0.3, tail) == pytest.approx(ends, rel=1e-15)


@pytest.mark.parametrize(
    ("level", "tail", "message"),
    [
        (0.1, 1.01, "tail is 1.01; give a number from -1 to 1"),
        (0.1, -2, "tail is -2"),
        (0.1, math.nan, "tail is nan"),
        (0, 0.5, "level is 0; give a positive number"),
        (-0.1, 0.5, "level is -0.1"),
        (math.inf, 0.5, "level is inf"),
        (math.nan, 0.5, "level is nan"),
    ],
)
def test_what_is_out_of_range_is_refused(level: float, tail: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dial(level, tail)
