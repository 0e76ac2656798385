"""Augmentations: their ranges, and that all frames get the same."""

import colorsys

import numpy as np
import pytest
from PIL import Image

from pipelines.augmentation import RANGES, Ranges
from pipelines.media.pixels import CENTRE, Augmentation, draw, least_side

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def drawn(augment, size, count=400):
    random = np.random.default_rng(0)
    return [draw(RANGES[augment], size, random) for _ in range(count)]


def test_none_is_the_centre_square_and_draws_nothing() -> None:
    random = np.random.default_rng(0)
    assert draw(None, (40, 30), random) == CENTRE
    assert random.random() == np.random.default_rng(0).random()
    expected = np.asarray(NOISE)[:, 5:35].transpose(2, 0, 1)
    assert np.array_equal(CENTRE.square(NOISE, 30), expected)


@pytest.mark.parametrize(("augment", "smallest"), [("crop", 0.9), ("strong", 0.5)])
@pytest.mark.parametrize("size", [(400, 400), (400, 320), (320, 400)])
def test_crops_keep_their_area_and_ratio_and_reach_every_corner(augment, smallest, size) -> None:
    boxes = np.array([augmentation.box for augmentation in drawn(augment, size)])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= size[0]).all()
    assert (bottom <= size[1]).all()
    area = (right - left) * (bottom - top) / (size[0] * size[1])
    ratio = (right - left) / (bottom - top)
    assert smallest - 0.01 <= area.min() < smallest + 0.05
    assert area.max() > 0.95
    assert ratio.min() >= 0.74
    assert ratio.max() <= 1.35
    assert ratio.min() < ratio.mean() < ratio.max()
    assert (left > 0).any()
    assert (right < size[0]).any()


def test_ranges_are_drawn_from_as_given() -> None:
    random = np.random.default_rng(0)
    found = [draw(Ranges((0.3, 0.6), flip=1.0, color=0.0), (400, 300), random) for _ in range(300)]
    areas = [(a.box[2] - a.box[0]) * (a.box[3] - a.box[1]) / 120_000 for a in found]
    assert 0.29 < min(areas) < 0.32
    assert 0.58 < max(areas) < 0.61
    assert {(a.flip, a.colour, a.grey) for a in found} == {(True, (), False)}
    coloured = [draw(Ranges((1.0, 1.0), color=0.1), (40, 40), random) for _ in range(300)]
    assert not any(each.flip for each in coloured)
    factors = [(name, factor) for each in coloured for name, factor in each.colour]
    assert {name for name, _ in factors} == {"Brightness", "Contrast", "Color", "hue"}
    assert max(abs(factor - 1) for name, factor in factors if name != "hue") == pytest.approx(0.1, abs=0.005)
    assert max(abs(factor) for name, factor in factors if name == "hue") == pytest.approx(0.025, abs=0.002)


@pytest.mark.parametrize(("size", "box"), [((400, 40), (173, 0, 226, 40)), ((40, 400), (0, 173, 40, 226))])
def test_an_elongated_picture_gives_the_largest_middle_of_an_allowed_ratio(size, box) -> None:
    assert {augmentation.box for augmentation in drawn("crop", size, 20)} == {box}


def test_a_crop_is_cut_and_scaled() -> None:
    found = Augmentation((3, 4, 33, 24)).square(NOISE, 16)
    expected = NOISE.crop((3, 4, 33, 24)).resize((16, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(expected).transpose(2, 0, 1))


def test_strong_flips_half_greys_a_fifth_and_changes_colours_of_four_fifths() -> None:
    augmentations = drawn("strong", (40, 30), 2000)
    assert np.mean([a.flip for a in augmentations]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([a.grey for a in augmentations]) == pytest.approx(0.2, abs=0.04)
    changed = [a.colour for a in augmentations if a.colour]
    assert len(changed) / len(augmentations) == pytest.approx(0.8, abs=0.04)
    for name, low, high in (("Brightness", 0.6, 1.4), ("Contrast", 0.6, 1.4), ("Color", 0.6, 1.4), ("hue", -0.1, 0.1)):
        factors = np.array([dict(colour)[name] for colour in changed])
        assert low <= factors.min() < low + 0.01
        assert high - 0.01 < factors.max() <= high
    assert len({tuple(name for name, _ in colour) for colour in changed}) == 24  # every order


def test_flip_grey_and_colours_do_what_they_are_called() -> None:
    plain = CENTRE.square(NOISE, 30)
    assert np.array_equal(Augmentation(flip=True).square(NOISE, 30), plain[:, :, ::-1])
    grey = Augmentation(grey=True).square(NOISE, 30)
    assert np.array_equal(grey[0], grey[2])
    orange = Image.new("RGB", (8, 8), (200, 120, 40))
    dark = Augmentation(colour=(("Brightness", 0.5),)).square(orange, 8)
    assert dark[:, 0, 0].tolist() == [100, 60, 20]
    turned = Augmentation(colour=(("hue", 0.1),)).square(orange, 8)[:, 0, 0]
    hue, saturation, value = colorsys.rgb_to_hsv(200 / 255, 120 / 255, 40 / 255)
    expected = np.array(colorsys.hsv_to_rgb(hue + 0.1, saturation, value)) * 255
    assert np.abs(turned - expected).max() <= 4


def test_decoding_smaller_leaves_every_crop_twice_the_square() -> None:
    assert least_side(None, 100) == 200
    assert least_side(None, 100, 120) == 240
    for augment in ("crop", "strong"):
        side = least_side(RANGES[augment], 100)
        boxes = np.array([a.box for a in drawn(augment, (side, side), 2000)])
        shorter = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).min()
        assert 198 <= shorter <= 230


@pytest.mark.parametrize("shape", [(64, 48), (48, 64), (16, 16), (33, 77), (77, 33), (200, 130), (17, 16), (500, 333)])
def test_the_centre_square_is_that_of_clips_image_processor(shape) -> None:
    from transformers import CLIPImageProcessorPil

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))
    for edge in (16, 19, 32):
        sizes = {"size": {"shortest_edge": edge}, "crop_size": 16}
        processor = CLIPImageProcessorPil(**sizes, do_normalize=False, do_rescale=False)
        expected = np.asarray(processor(image)["pixel_values"][0])
        assert np.array_equal(CENTRE.square(image, 16, edge), expected)
