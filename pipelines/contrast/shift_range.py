"""The range of shifts from one number: how far, and in which direction, frequency moves a temperature."""

import math

from pipelines.errors import InputError

_BASE = 4  # the authors' default, 0.05 .. 0.20, is then half a turn around 0.1


def dial(level: float, tail: float) -> tuple[float, float]:
    """Return the shifts of the smallest and of the largest cluster, around a level.

    Geometrically, so that both are positive::

        of_smallest = level * 4 ** -tail
        of_largest  = level * 4 ** tail

    The default of MM-TS (arXiv 2603.08202), 0.05 .. 0.20, is level 0.1 and tail 0.5; its EK-100 recipe, 0.17 .. 0.30,
    is level 0.2258 and tail 0.2049.

    Args:
        level: Shift of all samples where ``tail`` is 0, in units of temperature (or margin).
        tail: From -1 to 1. Above 0 rare samples get the lower temperature, below 0 frequent ones do.

    Returns:
        ``(of_smallest, of_largest)`` for `cluster_shifts`.

    Raises:
        InputError: A number is out of range.
    """
    if not -1 <= tail <= 1:
        raise InputError(f"tail is {tail:g}; give a number from -1 to 1")
    if not (level > 0 and math.isfinite(level)):
        raise InputError(f"level is {level:g}; give a positive number")
    return level * _BASE**-tail, level * _BASE**tail
