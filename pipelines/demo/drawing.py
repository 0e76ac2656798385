"""Renders a scene: objects drawn at four times the size and scaled down, over a textured background."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.demo.backgrounds import paint_background
from pipelines.demo.grammar import OPPOSITE, Group, Scene
from pipelines.demo.shapes import HOLES, outline

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

_RADII = {"small": (0.095, 0.115), "large": (0.15, 0.17)}
_REGIONS = {  # left, top, right, bottom as parts of the image
    "middle": (0.08, 0.25, 0.92, 0.75),
    "top": (0.02, 0.03, 0.98, 0.47),
    "bottom": (0.02, 0.53, 0.98, 0.97),
    "left": (0.03, 0.02, 0.47, 0.98),
    "right": (0.53, 0.02, 0.97, 0.98),
}
_PAINT_JITTER = 14
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
    pixels += noise.normal(0, _NOISE, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _light(size: int, noise: np.random.Generator) -> NDArray[np.float32]:
    """A brightness that falls off slightly in a random direction, shape (size, size, 1)."""
    angle = noise.uniform(0, 2 * pi)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return (0.98 + 0.07 * (x * cos(angle) + y * sin(angle)))[:, :, None].astype(np.float32)


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


def _draw_object(
    canvas: Image.Image, group: Group, centre: tuple[float, float], radius: float, rng: Random
) -> None:
    """Draws one object with a thin dark rim of its own colour."""
    angle = rng.uniform(-pi / 12, pi / 12)
    paint = np.clip([c + rng.uniform(-_PAINT_JITTER, _PAINT_JITTER) for c in RGB[group.colour]], 0, 255)
    box = int(2.4 * radius)
    corner = (round(centre[0]) - box // 2, round(centre[1]) - box // 2)
    rim = tuple(int(c) for c in paint * 0.45)
    canvas.paste(rim, corner, _mask(group.shape, box, radius * 1.1, 0.85, angle))
    accent = _TEXTURES[group.texture](box, radius, angle)[:, :, None]
    second = paint * 0.3 + 255 * 0.7
    fill = Image.fromarray((paint * (1 - accent) + second * accent).astype(np.uint8))
    canvas.paste(fill, corner, _mask(group.shape, box, radius * 0.97, 1.1, angle))


def _mask(shape: str, box: int, radius: float, hole: float, angle: float) -> Image.Image:
    """White where the shape is; ``hole`` widens or narrows its hole if it has one."""
    turn_x, turn_y = cos(angle) * radius, sin(angle) * radius
    middle = box / 2
    mask = Image.new("L", (box, box))
    pen = ImageDraw.Draw(mask)
    pen.polygon([(middle + x * turn_x - y * turn_y, middle + x * turn_y + y * turn_x) for x, y in outline(shape)], 255)
    if shape in HOLES:
        pen.circle((middle, middle), HOLES[shape] * hole * radius, 0)
    return mask


def _turned(box: int, radius: float, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates within the box in units of the radius, turned by the angle."""
    y, x = (np.mgrid[:box, :box] - box / 2) / radius
    return x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)


def _plain(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    return np.zeros((box, box), dtype=np.bool_)


def _striped(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, y = _turned(box, radius, angle + pi / 4)
    return np.asarray((x * 1.9) % 1 > 0.55)


def _spotted(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, y = _turned(box, radius, angle)
    return np.asarray(np.hypot((x * 1.8) % 1 - 0.5, (y * 1.8) % 1 - 0.5) < 0.3)


def _checkered(box: int, radius: float, angle: float) -> NDArray[np.bool_]:
    x, y = _turned(box, radius, angle)
    return np.asarray((np.floor(x * 2) + np.floor(y * 2)) % 2 == 1)


_TEXTURES: dict[str, Callable[[int, float, float], NDArray[np.bool_]]] = {
    "plain": _plain,
    "striped": _striped,
    "spotted": _spotted,
    "checkered": _checkered,
}
