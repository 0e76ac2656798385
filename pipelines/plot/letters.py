"""Fonts of the system for letters that the figures' own font lacks."""

from collections.abc import Iterable
from functools import cache

from matplotlib.font_manager import FontEntry, fontManager, get_font

_REGULAR = range(350, 501)  # weights


def fonts_with(letters: Iterable[str]) -> list[str]:
    """Names of installed fonts that together have as many of some letters as any do, the one with the most first.

    Fonts are opened to see what they hold: a hundred take about a second.
    """
    wanted, found = {ord(letter) for letter in letters}, list[str]()
    held = {each.name: _letters_of(each.fname) for each in _regular_fonts()}
    while wanted:
        best = max(sorted(held), key=lambda name: (len(wanted & held[name]), "Sans" in name), default=None)
        if best is None or not wanted & held[best]:
            break
        found.append(best)
        wanted -= held[best]
    return found


def _regular_fonts() -> list[FontEntry]:
    """The upright fonts of regular weight, the ones that matplotlib takes where a figure names no style."""
    upright = [each for each in fontManager.ttflist if each.style == "normal" and each.variant == "normal"]
    return [
        each
        for each in upright
        if each.weight in _REGULAR
        and not each.name.startswith("Last Resort")  # comes with matplotlib: a box for every letter
    ]


@cache
def _letters_of(path: str) -> frozenset[int]:
    """What a font holds; nothing where it can't be opened, or holds pictures of one size, as those of emoji do."""
    try:
        font = get_font(path)
    except (RuntimeError, OSError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
