"""The shapes of the scenes as polygons about the origin, reaching about 1 from it; y points down as in images."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

Point = tuple[float, float]
Polygon = list[Point]


@dataclass(frozen=True)
class Shape:
    """A drawing: the union of its parts without its holes.

    Attributes:
        parts: Polygons to fill; they may overlap.
        holes: Polygons to cut out of them.
    """

    parts: list[Polygon]
    holes: list[Polygon]


def _shape(*parts: Polygon, holes: tuple[Polygon, ...] = ()) -> Shape:
    return Shape(list(parts), list(holes))


def _polar(radius: Callable[[float], float], steps: int = 40) -> Polygon:
    """The curve of a radius that depends on the angle, which starts at the top."""
    angles = [2 * pi * i / steps for i in range(steps)]
    return [(radius(a) * sin(a), -radius(a) * cos(a)) for a in angles]


def _oval(x: float, y: float, width: float, height: float, start: float = 0.0, end: float = 2.0) -> Polygon:
    """An ellipse, or its arc between two angles in units of pi, clockwise from the right; closed by a chord."""
    angles = [pi * (start + (end - start) * i / 28) for i in range(29)]
    return [(x + width / 2 * cos(a), y + height / 2 * sin(a)) for a in angles]


def _disc(x: float, y: float, radius: float) -> Polygon:
    return _oval(x, y, 2 * radius, 2 * radius)


def _box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _mirrored(right_half: Polygon) -> Polygon:
    """A polygon symmetric about the vertical axis, from its right half listed from top to bottom."""
    return right_half + [(-x, y) for x, y in reversed(right_half)]


def _star() -> Polygon:
    return [(x, y) if i % 2 == 0 else (0.42 * x, 0.42 * y) for i, (x, y) in enumerate(_polar(lambda _: 1.0, 10))]


def _heart() -> Polygon:
    angles = [2 * pi * i / 40 for i in range(40)]
    return [(0.9 * sin(a) ** 3, (5 * cos(2 * a) + 2 * cos(3 * a) + cos(4 * a) - 13 * cos(a)) / 17) for a in angles]


def _crescent() -> Polygon:
    outer = _oval(0.15, 0, 1.9, 1.9, 0.3, 1.7)
    tip = outer[-1]
    inner = [(x, y) for x, y in _oval(tip[0], 0, 1.0, 2 * abs(tip[1]), 1.5, 0.5)]
    return outer + inner[1:-1]


PLAIN_SHAPES = {
    "circle": _shape(_disc(0, 0, 0.9)),
    "square": _shape(_box(-0.75, -0.75, 0.75, 0.75)),
    "triangle": _shape(_mirrored([(0, -0.95), (0.92, 0.72)])),
    "diamond": _shape(_mirrored([(0, -1), (0.68, 0), (0, 1)])),
}

THINGS = {
    "star": _shape(_star()),
    "heart": _shape(_heart()),
    "crescent": _shape(_crescent()),
    "ring": _shape(_disc(0, 0, 0.9), holes=(_disc(0, 0, 0.48),)),
    "flower": _shape(_polar(lambda a: 0.72 + 0.26 * cos(5 * a), 60), holes=(_disc(0, 0, 0.2),)),
    "arrow": _shape([(-0.95, -0.24), (0.1, -0.24), (0.1, -0.72), (0.97, 0), (0.1, 0.72), (0.1, 0.24), (-0.95, 0.24)]),
    "cross": _shape(_box(-0.3, -0.9, 0.3, 0.9), _box(-0.9, -0.3, 0.9, 0.3)),
    "fish": _shape(
        _oval(0.15, 0, 1.5, 1.0), [(-0.3, 0), (-0.95, -0.55), (-0.95, 0.55)], holes=(_disc(0.5, -0.12, 0.11),)
    ),
    "house": _shape(
        _mirrored([(0, -0.95), (0.95, -0.1)]), _box(-0.68, -0.15, 0.68, 0.85), holes=(_box(-0.2, 0.3, 0.2, 0.85),)
    ),
    "tree": _shape(
        _mirrored([(0, -1), (0.5, -0.25)]), _mirrored([(0, -0.6), (0.72, 0.55)]), _box(-0.16, 0.5, 0.16, 0.95)
    ),
    "sailboat": _shape(
        _mirrored([(0.95, 0.35), (0.55, 0.85)]),
        [(-0.08, 0.2), (-0.08, -0.95), (-0.75, 0.2)],
        [(0.08, 0.2), (0.08, -0.8), (0.65, 0.2)],
        _box(-0.08, -0.95, 0.08, 0.4),
    ),
    "rocket": _shape(
        _mirrored([(0, -1), (0.3, -0.5), (0.3, 0.6)]),
        _mirrored([(0.3, 0.1), (0.7, 0.9), (0.25, 0.65)]),
        holes=(_disc(0, -0.25, 0.16),),
    ),
    "mushroom": _shape(_oval(0, 0.05, 1.9, 1.8, 1, 2), _box(-0.27, 0, 0.27, 0.9)),
    "umbrella": _shape(
        [*_oval(0, 0, 1.9, 1.8, 1, 2), (0.64, -0.18), (0.32, 0), (0, -0.18), (-0.32, 0), (-0.64, -0.18)],
        _box(-0.08, -0.3, 0.08, 0.85),
        _box(-0.4, 0.7, 0.08, 0.87),
    ),
    "cloud": _shape(
        _disc(-0.5, 0.2, 0.42), _disc(0.0, -0.12, 0.52), _disc(0.52, 0.18, 0.42), _box(-0.5, 0.2, 0.52, 0.61)
    ),
    "leaf": _shape(_mirrored([(0, -0.95), (0.45, -0.5), (0.55, 0), (0.35, 0.4), (0, 0.65)]), _box(-0.07, 0.5, 0.07, 1)),
    "key": _shape(
        _disc(-0.55, 0, 0.43),
        _box(-0.3, -0.13, 0.97, 0.13),
        _box(0.4, 0, 0.57, 0.45),
        _box(0.78, 0, 0.95, 0.45),
        holes=(_disc(-0.55, 0, 0.2),),
    ),
    "bell": _shape(_mirrored([(0.1, -0.85), (0.42, -0.6), (0.52, 0.2), (0.85, 0.6)]), _disc(0, 0.68, 0.22)),
    "cup": _shape(
        [(-0.8, -0.65), (0.4, -0.65), (0.28, 0.75), (-0.68, 0.75)],
        _oval(0.42, -0.05, 1.0, 0.9),
        holes=(_oval(0.56, -0.05, 0.4, 0.45),),
    ),
    "bottle": _shape(_mirrored([(0.16, -1), (0.16, -0.4), (0.4, -0.1), (0.4, 0.95)])),
    "hat": _shape(_box(-0.5, -0.75, 0.5, 0.5), _oval(0, 0.5, 1.9, 0.45)),
    "kite": _shape(_mirrored([(0, -1), (0.62, -0.35), (0, 0.6)]), _mirrored([(0, 0.55), (0.25, 0.95)])),
    "crown": _shape(_mirrored([(0, -0.8), (0.38, -0.05), (0.92, -0.65), (0.75, 0.7)])),
    "hammer": _shape(_box(-0.14, -0.5, 0.14, 0.97), _mirrored([(0.72, -0.85), (0.72, -0.3)])),
    "flag": _shape(_box(-0.72, -0.95, -0.5, 0.97), [(-0.6, -0.9), (0.85, -0.45), (-0.6, 0.1)]),
    "ghost": _shape(
        [*_oval(0, -0.15, 1.4, 1.6, 1, 2), (0.7, 0.9), (0.35, 0.6), (0, 0.9), (-0.35, 0.6), (-0.7, 0.9)],
        holes=(_disc(-0.25, -0.25, 0.15), _disc(0.25, -0.25, 0.15)),
    ),
    "butterfly": _shape(
        _disc(-0.48, -0.35, 0.46),
        _disc(0.48, -0.35, 0.46),
        _disc(-0.4, 0.45, 0.36),
        _disc(0.4, 0.45, 0.36),
        _oval(0, 0, 0.26, 1.5),
    ),
    "car": _shape(
        _box(-0.97, -0.05, 0.97, 0.4),
        _mirrored([(0.4, -0.55), (0.65, 0)]),
        _disc(-0.5, 0.4, 0.25),
        _disc(0.5, 0.4, 0.25),
        holes=(_box(-0.32, -0.4, -0.05, -0.05), _box(0.05, -0.4, 0.32, -0.05)),
    ),
    "lamp": _shape(_mirrored([(0.32, -0.9), (0.8, 0.05)]), _box(-0.1, 0, 0.1, 0.75), _oval(0, 0.85, 1.0, 0.5, 1, 2)),
    "candle": _shape(_box(-0.26, -0.25, 0.26, 0.95), _oval(0, -0.66, 0.36, 0.6)),
    "bone": _shape(_box(-0.6, -0.17, 0.6, 0.17), *[_disc(x, y, 0.27) for x in (-0.66, 0.66) for y in (-0.22, 0.22)]),
    "snowman": _shape(
        _disc(0, 0.4, 0.55), _disc(0, -0.42, 0.36), _box(-0.4, -0.74, 0.4, -0.62), _box(-0.24, -1, 0.24, -0.65)
    ),
}

SHAPES = THINGS | PLAIN_SHAPES
