"""Outlines of the shapes, as polygons that fit the unit circle."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

Point = tuple[float, float]


def outline(shape: str) -> list[Point]:
    """The outline of a shape; y points down, as in images.

    Args:
        shape: One of ``grammar.SHAPES``.

    Returns:
        The polygon's corners, none farther than 1 from the origin. A ring is its outer circle; see ``HOLES``.
    """
    return _OUTLINES[shape]()


def _polar(radius: Callable[[float], float], steps: int) -> list[Point]:
    angles = [2 * pi * i / steps - pi / 2 for i in range(steps)]
    return [(radius(a) * cos(a), radius(a) * sin(a)) for a in angles]


def _circle() -> list[Point]:
    return _polar(lambda _: 0.9, 40)


def _square() -> list[Point]:
    return [(-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75)]


def _triangle() -> list[Point]:
    return [(0.0, -0.95), (0.92, 0.72), (-0.92, 0.72)]


def _star() -> list[Point]:
    corners = _polar(lambda _: 1.0, 10)
    return [(x, y) if i % 2 == 0 else (0.42 * x, 0.42 * y) for i, (x, y) in enumerate(corners)]


def _heart() -> list[Point]:
    angles = [2 * pi * i / 40 for i in range(40)]
    return [
        (0.9 * sin(a) ** 3, -(13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) / 17 - 0.08) for a in angles
    ]


def _cross() -> list[Point]:
    quarter = [(0.3, -0.9), (0.3, -0.3), (0.9, -0.3)]
    points = []
    for _ in range(4):
        points += quarter
        quarter = [(-y, x) for x, y in quarter]
    return points


def _crescent() -> list[Point]:
    outer = [(0.95 * cos(a), 0.95 * sin(a)) for a in (pi * (0.28 + 1.44 * i / 30) for i in range(31))]
    tip_x, tip_y = outer[0]
    centre = 0.62
    reach = (tip_x - centre, tip_y)
    radius = (reach[0] ** 2 + reach[1] ** 2) ** 0.5
    half = pi - abs(_angle(reach))
    inner = [
        (centre + radius * cos(a), radius * sin(a)) for a in (pi + half - 2 * half * i / 20 for i in range(1, 20))
    ]
    return [(x + 0.15, y) for x, y in outer + inner]


def _angle(vector: Point) -> float:
    from math import atan2

    return atan2(vector[1], vector[0])


def _arrow() -> list[Point]:
    return [(-0.95, -0.24), (0.1, -0.24), (0.1, -0.72), (0.97, 0.0), (0.1, 0.72), (0.1, 0.24), (-0.95, 0.24)]


def _flower() -> list[Point]:
    return _polar(lambda a: 0.72 + 0.26 * cos(5 * (a + pi / 2)), 60)


HOLES = {"ring": 0.5}
"""Radius of the round hole, as a part of the shape's own radius."""

_OUTLINES: dict[str, Callable[[], list[Point]]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "ring": _circle,
    "crescent": _crescent,
    "arrow": _arrow,
    "flower": _flower,
}
