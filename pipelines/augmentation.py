"""What augmentation draws from. No torch, so that settings can be checked before anything heavy is loaded."""

from dataclasses import dataclass
from typing import Literal

from pipelines.errors import InputError

Augment = Literal["none", "crop", "strong"]


@dataclass(frozen=True)
class Ranges:
    """What is drawn for an augmentation.

    Attributes:
        crop_scale: Smallest and largest share of the area that is kept.
        flip: Probability that left and right are exchanged.
        color: By how much brightness, contrast and saturation change at most, 0 for no change of color; the hue
            changes by a quarter of it, and a fifth of the pictures lose their color.
    """

    crop_scale: tuple[float, float]
    flip: float = 0.0
    color: float = 0.0


RANGES: dict[Augment, Ranges | None] = {
    "none": None,
    "crop": Ranges((0.9, 1.0)),  # as open_clip trains
    "strong": Ranges((0.5, 1.0), flip=0.5, color=0.4),
}


def ranges_of(augment: Augment, crop_scale: str | None, flip: float | None, color: float | None) -> Ranges | None:
    """What an augmentation draws from, with what is given in the place of its own; None for none.

    Args:
        augment: The augmentation.
        crop_scale: Smallest and largest share, as ``0.5,1.0``.
        flip: As in `Ranges`.
        color: Likewise.

    Raises:
        InputError: ``crop_scale`` is not two shares.
    """
    preset = RANGES[augment]
    if preset is None:
        return None
    return Ranges(
        preset.crop_scale if crop_scale is None else _shares(crop_scale),
        preset.flip if flip is None else flip,
        preset.color if color is None else color,
    )


def _shares(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not 0 < low <= high <= 1:
        raise InputError(
            f"--crop-scale {text[:40]}: expected the smallest and the largest share of the area, such as 0.5,1.0"
        )
    return low, high
