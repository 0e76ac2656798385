"""What augmentation draws from."""

import pytest

from pipelines.augmentation import RANGES, Ranges, ranges_of
from pipelines.errors import InputError


def test_what_is_given_takes_the_place_of_an_augmentations_own() -> None:
    assert ranges_of("crop", None, None, None) == RANGES["crop"] == Ranges((0.9, 1.0), 0.0, 0.0)
    assert ranges_of("strong", None, None, None) == Ranges((0.5, 1.0), 0.5, 0.4)
    assert ranges_of("crop", "0.5,1.0", 0.25, None) == Ranges((0.5, 1.0), 0.25, 0.0)
    assert ranges_of("strong", " .2, .3", 0.0, 0.0) == Ranges((0.2, 0.3), 0.0, 0.0)
    assert ranges_of("none", None, None, None) is None


@pytest.mark.parametrize("text", ["0.5", "0.5,0.4", "0,1", "0.5,1.1", "a,b", "nan,1", "0.1,0.2,0.3", ""])
def test_shares_that_are_none(text) -> None:
    with pytest.raises(InputError, match=r"^--crop-scale .*: expected the smallest and the largest share of the area"):
        ranges_of("crop", text, None, None)
