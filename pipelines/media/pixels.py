"""From a decoded picture to the square a tower sees: the centre, or an augmentation drawn at random.

The augmentations are those of torchvision (``RandomResizedCrop``, ``ColorJitter``, ...), on Pillow alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from pipelines.augmentation import Ranges

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

_RATIOS = (3 / 4, 4 / 3)
_COLOUR_PROBABILITY, _GREY_PROBABILITY = 0.8, 0.2
_HUE = 0.25  # of the colour's range
_CROP_ATTEMPTS = 10


@dataclass(frozen=True)
class Augmentation:
    """What is done to a picture, or in the same way to every frame of a clip.

    Attributes:
        box: Left, upper, right and lower edge of the part that is kept; None for the centre square.
        flip: Whether left and right are exchanged.
        colour: Changes of colour in their order, each with its factor; the hue's is a shift of the colour circle.
        grey: Whether colours are dropped.
    """

    box: Box | None = None
    flip: bool = False
    colour: tuple[tuple[str, float], ...] = ()
    grey: bool = False

    def square(self, image: Image.Image, size: int, shortest_edge: int | None = None) -> Pixels:
        """The square ``[3, size, size]`` of an RGB image.

        Args:
            image: The image.
            size: Side of the square, in pixels.
            shortest_edge: What the shorter side is scaled to before the centre is taken; ``size`` if None.
        """
        if self.box is None:
            image = _centre(image, size, shortest_edge or size)
        else:
            image = image.crop(self.box).resize((size, size), Image.Resampling.BICUBIC)
        if self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for name, factor in self.colour:
            image = _shift_hue(image, factor) if name == "hue" else getattr(ImageEnhance, name)(image).enhance(factor)
        if self.grey:
            image = image.convert("L").convert("RGB")
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


CENTRE = Augmentation()


def draw(ranges: Ranges | None, size: tuple[int, int], random: np.random.Generator) -> Augmentation:
    """Draw an augmentation for pictures of a size (width, height); the centre where there are no ranges."""
    if ranges is None:
        return CENTRE
    box = _draw_box(size, ranges.crop_scale, random)
    if not ranges.flip and not ranges.color:
        return Augmentation(box)
    flip = bool(random.random() < ranges.flip)
    if not ranges.color:
        return Augmentation(box, flip)
    jitter = bool(random.random() < _COLOUR_PROBABILITY)
    low, high, hue = 1 - ranges.color, 1 + ranges.color, _HUE * ranges.color
    factors = [
        *((name, float(random.uniform(low, high))) for name in ("Brightness", "Contrast", "Color")),
        ("hue", float(random.uniform(-hue, hue))),
    ]
    order = random.permutation(len(factors))
    grey = bool(random.random() < _GREY_PROBABILITY)
    return Augmentation(box, flip, tuple(factors[place] for place in order) if jitter else (), grey)


def least_side(ranges: Ranges | None, size: int, shortest_edge: int | None = None) -> int:
    """Shorter side that a picture needs so that every square cut from it is still made by halving at least."""
    if ranges is None:
        return 2 * (shortest_edge or size)
    return math.ceil(2 * size / math.sqrt(ranges.crop_scale[0] * _RATIOS[0]))


def _centre(image: Image.Image, size: int, shortest_edge: int) -> Image.Image:
    """The shorter side scaled, the centre taken: to the pixel what transformers' CLIP processor does."""
    wide, high = (shortest_edge * side // min(image.size) for side in image.size)
    if (wide, high) != image.size:
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
    left, top = (wide - size) // 2, (high - size) // 2
    return image.crop((left, top, left + size, top + size))


def _draw_box(size: tuple[int, int], scale: tuple[float, float], random: np.random.Generator) -> Box:
    """A box of an area and a ratio (uniform in its logarithm) that fits; else the largest of a ratio in the middle."""
    width, height = size
    low, high = math.log(_RATIOS[0]), math.log(_RATIOS[1])
    for _ in range(_CROP_ATTEMPTS):
        area = width * height * random.uniform(*scale)
        ratio = math.exp(random.uniform(low, high))
        wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            left, top = int(random.integers(width - wide + 1)), int(random.integers(height - tall + 1))
            return left, top, left + wide, top + tall
    wide = max(1, min(width, round(height * _RATIOS[1])))
    tall = max(1, min(height, round(width / _RATIOS[0])))
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall


def _shift_hue(image: Image.Image, shift: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + round(shift * 255)) % 256
    return Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8)), saturation, value)).convert("RGB")
