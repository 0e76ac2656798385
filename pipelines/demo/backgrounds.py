"""Paints the backgrounds: soft patterns computed at the final size, never twice the same."""

from collections.abc import Callable
from math import pi

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def paint_background(name: str, size: int, noise: np.random.Generator) -> Pixels:
    """Paints one background.

    Args:
        name: One of ``grammar.BACKGROUNDS``.
        size: Width and height in pixels.
        noise: Where the variation comes from.

    Returns:
        Pixels of shape (size, size, 3), about 0 to 255.
    """
    base, paint = _PAINTERS[name]
    pattern = paint(size, noise).astype(np.float32)[:, :, None]
    shade = np.asarray(base, dtype=np.float32) + noise.uniform(-12, 12, 3).astype(np.float32)
    return np.asarray(np.clip(shade + pattern, 0, 255), dtype=np.float32)


def _grid(size: int, noise: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates from 0 to 1 with a random offset: y, x."""
    y, x = np.mgrid[:size, :size] / size
    return y + noise.uniform(), x + noise.uniform()


def _blotches(size: int, cells: int, noise: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise of about unit variance, with ``cells`` blotches a side."""
    rough = noise.normal(size=(cells + 1, cells + 1))
    at = np.linspace(0, cells - 1e-6, size)
    low = at.astype(int)
    part = at - low
    rows = rough[low] * (1 - part[:, None]) + rough[low + 1] * part[:, None]
    return np.asarray(rows[:, low] * (1 - part) + rows[:, low + 1] * part)


def _night(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    stars = np.zeros((size, size))
    count = size * size // 100
    stars[noise.integers(size, size=count), noise.integers(size, size=count)] = noise.uniform(40, 200, count)
    return stars + 5 * _blotches(size, 3, noise)


def _sand(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    return noise.normal(0, 16, (size, size)) + 6 * _blotches(size, 6, noise)


def _grass(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    blades = np.repeat(noise.normal(0, 22, (-(-size // 4), size)), 4, axis=0)[:size]
    return blades + 6 * _blotches(size, 5, noise)


def _water(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    y, x = _grid(size, noise)
    return 20 * np.sin(2 * pi * (9 * y + 0.35 * np.sin(2 * pi * 2.5 * x))) + 6 * _blotches(size, 4, noise)


def _brick(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    y, x = _grid(size, noise)
    row, column = np.floor(y * 8), 4 * x + 0.5 * (np.floor(y * 8) % 2)
    mortar = ((y * 8) % 1 < 0.17) | (column % 1 < 0.09)
    tone = noise.normal(0, 10, (32, 32))[row.astype(int), np.floor(column).astype(int)]
    return np.where(mortar, 60, tone)


def _squared(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    y, x = _grid(size, noise)
    return np.where(((y * 8) % 1 < 0.13) | ((x * 8) % 1 < 0.13), -50, 0)


def _wood(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    _, x = _grid(size, noise)
    grain = np.sin(2 * pi * (14 * x + 0.5 * _blotches(size, 3, noise)))
    return 12 * grain - np.where((x * 3) % 1 < 0.06, 45, 0)


def _stone(size: int, noise: np.random.Generator) -> NDArray[np.float64]:
    return 16 * _blotches(size, 8, noise) + 8 * _blotches(size, 20, noise)


_PAINTERS: dict[str, tuple[tuple[int, int, int], Callable[[int, np.random.Generator], NDArray[np.float64]]]] = {
    "night": ((20, 22, 52), _night),
    "sand": ((222, 198, 150), _sand),
    "grass": ((86, 112, 52), _grass),
    "water": ((118, 164, 196), _water),
    "brick": ((150, 92, 76), _brick),
    "grid": ((240, 242, 246), _squared),
    "wood": ((146, 108, 72), _wood),
    "stone": ((140, 142, 144), _stone),
}
