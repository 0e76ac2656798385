"""What a long-tail scene can hold, and the short English captions that describe it."""

from dataclasses import dataclass
from random import Random

from pipelines.demo.shapes import PLAIN_SHAPES, THINGS

CONCEPTS = tuple(THINGS)
COLOURS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
TEXTURES = ("plain", "striped", "spotted", "checkered")
SIZES = ("small", "large")
COUNTS = (1, 2, 3)
BACKGROUNDS = {
    "night": ("in the night sky", "against a starry night sky"),
    "sand": ("on sand", "on a sandy beach"),
    "grass": ("on grass", "on a lawn"),
    "water": ("on water", "on rippling water"),
    "brick": ("on a brick wall", "in front of a brick wall"),
    "grid": ("on graph paper", "on white squared paper"),
    "wood": ("on a wooden table", "on wooden boards"),
    "stone": ("on grey stone", "on a grey stone floor"),
}
PLACES = {
    "middle": ("in the middle", "in the centre"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
}
RELATIONS = {
    "top": ("above", "over"),
    "bottom": ("below", "under"),
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
}
OPPOSITE = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}

_NUMBERS = {1: "a", 2: "two", 3: "three"}
_PLURALS = {"fish": "fish", "leaf": "leaves", "cross": "crosses", "snowman": "snowmen", "butterfly": "butterflies"}
_TOGETHER = ("with", "next to", "beside")


@dataclass(frozen=True)
class Group:
    """One to three equal objects.

    Attributes:
        shape: A key of ``shapes.SHAPES``.
        colour: One of ``COLOURS``.
        texture: One of ``TEXTURES``.
        size: One of ``SIZES``.
        count: How many of them.
    """

    shape: str
    colour: str
    texture: str
    size: str
    count: int


@dataclass(frozen=True)
class Scene:
    """What one image shows.

    Attributes:
        main: The things that are the scene's concept.
        other: One plain shape of another colour on the opposite side, or None.
        place: Where the main things are: one of ``PLACES``, never "middle" where there is another object.
        background: One of ``BACKGROUNDS``.
    """

    main: Group
    other: Group | None
    place: str
    background: str

    @property
    def concept(self) -> str:
        """What the main things are."""
        return self.main.shape


def draw_scene(concept: str, rng: Random) -> Scene:
    """Draws a scene of one concept; everything but the concept is uniform or nearly so.

    Args:
        concept: One of ``CONCEPTS``.
        rng: Where the chance comes from.

    Returns:
        The scene.
    """
    colour = rng.choice(COLOURS)
    main = Group(concept, colour, rng.choice(TEXTURES), rng.choice(SIZES), rng.choice(COUNTS))
    background = rng.choice(tuple(BACKGROUNDS))
    if rng.random() < 0.4:
        return Scene(main, None, rng.choice(tuple(PLACES)), background)
    other_shape = rng.choice(tuple(PLAIN_SHAPES))
    other_colour = rng.choice([c for c in COLOURS if c != colour])
    other = Group(other_shape, other_colour, "plain", rng.choice(SIZES), 1)
    return Scene(main, other, rng.choice(tuple(RELATIONS)), background)


def write_caption(scene: Scene, rng: Random) -> str:
    """Writes one caption: true, short, the concept always in it, some other details left out.

    Args:
        scene: What to describe.
        rng: Chooses the details and the phrasing.

    Returns:
        A phrase in lower case without a full stop.
    """
    main = _noun_phrase(scene.main, rng)
    where = rng.choice(BACKGROUNDS[scene.background]) if rng.random() < 0.65 else ""
    opening = rng.choice(("", "", "", "there is ", "a picture of "))
    if opening == "there is " and scene.main.count > 1:
        opening = "there are "
    if scene.other is None:
        return _join(opening + main, rng.choice(PLACES[scene.place]), where)
    if rng.random() < 0.1:
        return _join(opening + main, where)
    other = _noun_phrase(scene.other, rng)
    if rng.random() < 0.2:
        return _join(f"{opening}{main} {rng.choice(_TOGETHER)} {other}", where)
    if rng.random() < 0.3:
        relation = rng.choice(RELATIONS[OPPOSITE[scene.place]])
        pronoun = "it" if scene.main.count == 1 else "them"
        return f"{_join(opening + main, where)}, with {other} {relation} {pronoun}"
    return _join(f"{opening}{main} {rng.choice(RELATIONS[scene.place])} {other}", where)


def _noun_phrase(group: Group, rng: Random) -> str:
    """Such as "two small striped red stars"; size and texture are sometimes left out."""
    words = [group.size] if rng.random() < 0.5 else []
    if rng.random() < (0.15 if group.texture == "plain" else 0.8):
        words.append(group.texture)
    words += [group.colour, _PLURALS.get(group.shape, group.shape + "s") if group.count > 1 else group.shape]
    number = _NUMBERS[group.count]
    if number == "a" and words[0][0] in "aeiou":
        number = "an"
    return " ".join([number, *words])


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
