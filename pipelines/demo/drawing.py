"""Renders a scene: objects drawn at four times the size and scaled down, over a textured background."""

from collections.abc import Callable
from math import cos, pi, sin
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from pipelines.demo.backgrounds import paint_background
from pipelines.demo.grammar import OPPOSITE, Group, Scene
from pipelines.demo.shapes import SHAPES, Polygon

OVERSAMPLING = 4
RGB = {
    "red": (214, 36, 40),
    "orange": (246, 138, 26),
    "yellow": (250, 218, 46),
    "green": (40, 168, 66),
    "turquoise": (54, 204, 200),
    "blue": (40, 84, 220),
    "purple": (134, 58, 186),
    "pink": (250, 136, 190),
}

_RADII = {"small": (0.105, 0.125), "large": (0.155, 0.175)}
_REGIONS = {  # left, top, right, bottom as parts of the image
    "middle": (0.08, 0.25, 0.92, 0.75),
    "top": (0.02, 0.03, 0.98, 0.47),
    "bottom": (0.02, 0.53, 0.98, 0.97),
    "left": (0.03, 0.02, 0.47, 0.98),
    "right": (0.53, 0.02, 0.97, 0.98),
}
_PAINT_JITTER = 14
_TILT = pi / 15
_RIM = 5  # pixels of the oversampled canvas; the outer half shows
_NOISE = 5.0


def render(scene: Scene, size: int, rng: Random) -> Image.Image:
    """Renders one scene.

    Args:
        scene: What to show.
        size: Width and height in pixels.
        rng: Positions, angles, shades and noise; the same state gives the same pixels.

    Returns:
        An RGB image.
    """
    noise = np.random.default_rng(rng.getrandbits(64))
    canvas = Image.new("RGBA", (size * OVERSAMPLING, size * OVERSAMPLING))
    _draw_group(canvas, scene.main, scene.place, rng)
    if scene.other is not None:
        _draw_group(canvas, scene.other, OPPOSITE[scene.place], rng)
    objects = np.asarray(canvas.resize((size, size), Image.Resampling.BOX), dtype=np.float32)
    cover = objects[:, :, 3:] / 255
    pixels = paint_background(scene.background, size, noise) * (1 - cover) + objects[:, :, :3] * cover
    pixels *= _light(size, noise)
    pixels += _NOISE * noise.standard_normal(pixels.shape, dtype=np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _light(size: int, noise: np.random.Generator) -> NDArray[np.float32]:
    """A brightness that falls off slightly in a random direction, shape (size, size, 1)."""
    angle = noise.uniform(0, 2 * pi)
    along = np.linspace(-0.07, 0.07, size, dtype=np.float32)
    return 0.98 + along[None, :, None] * np.float32(cos(angle)) + along[:, None, None] * np.float32(sin(angle))


def _draw_group(canvas: Image.Image, group: Group, place: str, rng: Random) -> None:
    """Spreads the group's objects over its region, in a row along the longer side."""
    left, top, right, bottom = _REGIONS[place]
    across = right - left > bottom - top
    width = (right - left) / (group.count if across else 1)
    height = (bottom - top) / (1 if across else group.count)
    for i in range(group.count):
        radius = rng.uniform(*_RADII[group.size])
        x = left + width * (0.5 + (i if across else 0)) + _jitter(width / 2 - radius, rng)
        y = top + height * (0.5 + (0 if across else i)) + _jitter(height / 2 - radius, rng)
        _draw_object(canvas, group, (x * canvas.width, y * canvas.height), radius * canvas.width, rng)


def _jitter(slack: float, rng: Random) -> float:
    return rng.uniform(-1, 1) * max(0.0, slack)


def _draw_object(canvas: Image.Image, group: Group, centre: tuple[float, float], radius: float, rng: Random) -> None:
    """Draws one object with a thin dark rim of its own colour."""
    angle = rng.uniform(-_TILT, _TILT)
    paint = [min(255.0, max(0.0, c + rng.uniform(-_PAINT_JITTER, _PAINT_JITTER))) for c in RGB[group.colour]]
    box = int(2.3 * radius)
    corner = (round(centre[0]) - box // 2, round(centre[1]) - box // 2)
    mask, rim = _masks(group.shape, box, radius, angle)
    canvas.paste(tuple(int(c * 0.45) for c in paint), corner, rim)
    canvas.paste(tuple(int(c) for c in paint), corner, mask)
    if group.texture in _TEXTURES:
        light = Image.fromarray(_TEXTURES[group.texture](box, radius, angle).astype(np.uint8) * 255)
        canvas.paste(tuple(int(c * 0.3 + 255 * 0.7) for c in paint), corner, ImageChops.darker(mask, light))


def _masks(shape: str, box: int, radius: float, angle: float) -> tuple[Image.Image, Image.Image]:
    """White where the shape is, and white where the shape or its rim is."""
    turn_x, turn_y = cos(angle) * radius, sin(angle) * radius

    def place(polygon: Polygon) -> Polygon:
        return [(box / 2 + x * turn_x - y * turn_y, box / 2 + x * turn_y + y * turn_x) for x, y in polygon]

    parts = [place(polygon) for polygon in SHAPES[shape].parts]
    holes = [place(polygon) for polygon in SHAPES[shape].holes]
    mask = Image.new("L", (box, box))
    pen = ImageDraw.Draw(mask)
    for polygon in parts:
        pen.polygon(polygon, 255)
    for polygon in holes:
        pen.polygon(polygon, 0)
    rim = mask.copy()
    pen = ImageDraw.Draw(rim)
    for polygon in parts + holes:
        pen.line([*polygon, polygon[0]], 255, _RIM)
    return mask, rim


def _turned(box: int, radius: float, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates within the box in units of the radius, turned by the angle."""
    along = (np.arange(box) - box / 2) / radius
    x, y = along[None, :], along[:, None]
    return x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)


def _striped(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, _ = _turned(box, radius, angle + pi / 4)
    return np.asarray((x * 1.9) % 1 > 0.55)


def _spotted(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, y = _turned(box, radius, angle)
    return np.asarray(np.hypot((x * 1.8) % 1 - 0.5, (y * 1.8) % 1 - 0.5) < 0.3)


def _checkered(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, y = _turned(box, radius, angle)
    return np.asarray((np.floor(x * 2) + np.floor(y * 2)) % 2 == 1)


_TEXTURES: dict[str, Callable[[int, float, float], NDArray[np.bool_]]] = {
    "striped": _striped,
    "spotted": _spotted,
    "checkered": _checkered,
}
