import re
from random import Random

from pipelines.demo.grammar import (
    BACKGROUNDS,
    COLOURS,
    CONCEPTS,
    OPPOSITE,
    PLACES,
    RELATIONS,
    SIZES,
    TEXTURES,
    Group,
    Scene,
    draw_scene,
    write_caption,
)

PLURALS = {"fish": "fish", "leaf": "leaves", "cross": "crosses", "butterfly": "butterflies", "snowman": "snowmen"}
GROUP = re.compile(
    rf"\b(?P<number>an?|two|three) (?:(?P<size>{'|'.join(SIZES)}) )?(?:(?P<texture>{'|'.join(TEXTURES)}) )?"
    rf"(?P<colour>{'|'.join(COLOURS)}) (?P<noun>\w+)"
)


def side_words(table):
    return {words: side for side, choices in table.items() for words in choices}


def assert_group_is(found, group):
    assert {"a": 1, "an": 1, "two": 2, "three": 3}[found["number"]] == group.count
    assert (found["number"] == "an") == (group.count == 1 and found[0].split()[1][0] in "aeiou")
    assert found["size"] in (None, group.size)
    assert found["texture"] in (None, group.texture)
    assert found["colour"] == group.colour
    assert found["noun"] == (group.shape if group.count == 1 else PLURALS.get(group.shape, group.shape + "s"))


def assert_is_true_to(scene, caption):
    groups = list(GROUP.finditer(caption))
    assert_group_is(groups[0], scene.main)
    for found in groups[1:]:
        assert_group_is(found, scene.other)
    assert len(groups) <= 2

    if len(groups) == 2 and ", with " in caption:
        words = caption[groups[1].end() :].strip().rsplit(" ", 1)
        assert words[1] == ("it" if scene.main.count == 1 else "them")
        assert OPPOSITE[side_words(RELATIONS)[words[0]]] == scene.place
    elif len(groups) == 2:
        between = caption[groups[0].end() : groups[1].start()].strip()
        assert between in ("with", "next to", "beside") or side_words(RELATIONS)[between] == scene.place

    named = {ground for ground, choices in BACKGROUNDS.items() if any(words in caption for words in choices)}
    assert named <= {scene.background}
    if scene.other is None:
        assert side_words(PLACES)[" ".join(caption[groups[0].end() :].split()[:3])] == scene.place


def test_every_caption_is_true_to_its_scene():
    for seed in range(300):
        rng = Random(seed)
        scene = draw_scene(rng.choice(CONCEPTS), rng)
        assert_is_true_to(scene, write_caption(scene, rng))


def test_captions_of_one_scene_vary():
    scene = Scene(
        Group("fish", "red", "striped", "small", 2), Group("circle", "blue", "plain", "large", 1), "top", "water"
    )
    rng = Random(0)
    assert len({write_caption(scene, rng) for _ in range(50)}) > 25


def test_a_scene_has_the_concept_asked_for_and_two_colours():
    for seed in range(100):
        scene = draw_scene("key", Random(seed))
        assert scene.concept == "key"
        assert scene.other is None or (scene.other.colour != scene.main.colour and scene.place != "middle")
