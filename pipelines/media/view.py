"""How a media tower sees a medium."""

from dataclasses import dataclass

from pipelines.augmentation import Ranges
from pipelines.errors import InputError


@dataclass(frozen=True)
class View:
    """What images and clips are turned into.

    Attributes:
        size: Side of a square in pixels.
        frames: Frames of a clip; None where media are images.
        chunk_seconds: Length of the chunks that videos are cut into, see `in_seconds`; None where their names say where
            each begins, or there are none.
        ranges: What training does to pixels: random resized crops, flips, changes of color; None for the centre
            square, as in evaluation.
        shortest_edge: What the shorter side is scaled to before the centre square is taken; ``size`` if None.

    Raises:
        InputError: A value is out of range.
    """

    size: int
    frames: int | None = None
    ranges: Ranges | None = None
    chunk_seconds: float | None = None
    shortest_edge: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.size < 1:
            raise InputError(f"image size {self.size}: at least 1 pixel was expected")
        if self.frames is not None and self.frames < 1:
            raise InputError(f"--frames {self.frames}: at least 1 was expected")
        if self.chunk_seconds is not None and self.frames is None:
            raise InputError("--chunk-seconds: is for video clips; give --frames, or leave it out")
        if self.chunk_seconds is not None and self.chunk_seconds <= 0:
            raise InputError(f"--chunk-seconds {self.chunk_seconds:g}: more than 0 was expected")
