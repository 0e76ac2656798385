from math import cos, hypot, pi, sin
from random import Random

import numpy as np
import pytest

from pipelines.demo.drawing import RGB, render
from pipelines.demo.grammar import BACKGROUNDS, COLOURS, PLACES, Group, Scene
from pipelines.demo.shapes import SHAPES


def pixels_of(scene, seed=0, size=64):
    return np.asarray(render(scene, size, Random(seed))).astype(float)


def near(pixels, colour, distance=55.0):
    """Which pixels have about a colour."""
    return np.linalg.norm(pixels - np.array(RGB[colour]), axis=-1) < distance


def scene_of(colour="red", shape="circle", texture="plain", size="large", count=1, place="middle", ground="night"):
    return Scene(Group(shape, colour, texture, size, count), None, place, ground)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_pixels_have_the_colour_named_and_no_other(colour):
    pixels = pixels_of(scene_of(colour))
    found = {c: int(near(pixels, c).sum()) for c in COLOURS}
    assert max(found, key=found.__getitem__) == colour
    assert 200 < found[colour] < 450  # a disc of radius 0.9 * 0.165 * 64 has about 280


def test_number_and_size_show_in_the_area():
    areas = {
        (size, count): near(pixels_of(scene_of(size=size, count=count)), "red").sum()
        for size in ("small", "large")
        for count in (1, 3)
    }
    assert areas["small", 3] == pytest.approx(3 * areas["small", 1], rel=0.25)
    assert areas["large", 3] == pytest.approx(3 * areas["large", 1], rel=0.25)
    assert areas["large", 1] > 1.6 * areas["small", 1]


@pytest.mark.parametrize("place", PLACES)
def test_things_are_where_the_place_says(place):
    for seed in range(5):
        rows, columns = np.nonzero(near(pixels_of(scene_of(place=place, count=2), seed), "red"))
        y, x = rows.mean() / 64, columns.mean() / 64
        if place == "middle":
            assert abs(y - 0.5) < 0.2
        else:
            assert {"top": y < 0.45, "bottom": y > 0.55, "left": x < 0.45, "right": x > 0.55}[place]


def test_the_other_shape_is_on_the_opposite_side():
    main = Group("star", "red", "plain", "large", 1)
    scene = Scene(main, Group("square", "turquoise", "plain", "large", 1), "top", "night")
    pixels = pixels_of(scene)
    assert np.nonzero(near(pixels, "red"))[0].max() < 34
    assert np.nonzero(near(pixels, "turquoise"))[0].min() > 30


def test_each_texture_looks_different():
    images = [pixels_of(scene_of(texture=texture)) for texture in ("plain", "striped", "spotted", "checkered")]
    bare = near(images[0], "red").sum()
    assert all(0.25 * bare < near(image, "red").sum() < 0.95 * bare for image in images[1:])
    assert all(np.abs(a - b).mean() > 1 for i, a in enumerate(images) for b in images[:i])


def test_backgrounds_differ_and_none_repeats():
    means = [pixels_of(scene_of(ground=ground)).mean(axis=(0, 1)) for ground in BACKGROUNDS]
    assert min(np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]) > 8
    for ground in BACKGROUNDS:
        assert not np.array_equal(pixels_of(scene_of(ground=ground), 0), pixels_of(scene_of(ground=ground), 1))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_fit_their_box_however_they_tilt(name):
    points = [point for part in SHAPES[name].parts for point in part]
    for tilt in (-pi / 15, 0, pi / 15):
        assert all(abs(x * cos(tilt) - y * sin(tilt)) < 1.15 for x, y in points)
        assert all(abs(x * sin(tilt) + y * cos(tilt)) < 1.15 for x, y in points)
    assert max(hypot(x, y) for x, y in points) > 0.85
