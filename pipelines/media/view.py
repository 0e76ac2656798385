"""How a media tower sees a medium."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipelines.errors import InputError

Augment = Literal["none", "crop", "strong"]


@dataclass(frozen=True)
class View:
    """What images and clips are turned into.

    Attributes:
        size: Side of a square in pixels.
        frames: Frames of a clip; None where media are images.
        augment: What training does to pixels: ``none`` (the centre square, as in evaluation), ``crop`` (a random
            resized crop of nearly all of it, as open_clip trains with) or ``strong`` (smaller crops, flips, colours).

    Raises:
        InputError: A value is out of range.
    """

    size: int
    frames: int | None = None
    augment: Augment = "none"

    def __post_init__(self) -> None:
        """Check the values."""
        if self.size < 1:
            raise InputError(f"image size {self.size}: at least 1 pixel was expected")
        if self.frames is not None and self.frames < 1:
            raise InputError(f"--frames {self.frames}: at least 1 was expected")
        if self.augment not in get_args(Augment):
            raise InputError(f"--augment {self.augment}: expected one of {', '.join(get_args(Augment))}")
