"""Bytes of images of every kind to RGB."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.media.decode import decode_image

GRADIENT = np.arange(24 * 16, dtype=np.int64).reshape(16, 24) * 170  # up to 65,110


def pixel(image: Image.Image) -> tuple[int, ...]:
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


def test_grey_transparent_and_palette_images_become_rgb(encoded) -> None:
    assert pixel(decode_image(encoded(Image.new("L", (9, 9), 51)), 9)) == (51, 51, 51)
    assert pixel(decode_image(encoded(Image.new("1", (9, 9), 1)), 9)) == (255, 255, 255)
    assert pixel(decode_image(encoded(Image.new("LA", (9, 9), (7, 255))), 9)) == (7, 7, 7)
    assert pixel(decode_image(encoded(Image.new("RGBA", (9, 9), (255, 102, 0, 255))), 9)) == (255, 102, 0)
    palette = Image.new("RGB", (9, 9), (10, 200, 30)).quantize(4)
    assert pixel(decode_image(encoded(palette), 9)) == (10, 200, 30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixel(decode_image(encoded(palette, transparency=bytes([255, 0])), 9)) == (10, 200, 30)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_shows_white(encoded, form) -> None:
    half = Image.new("RGBA", (9, 9), (200, 100, 0, 51))  # a fifth of it, and four fifths of white
    expected = (244, 224, 204)
    assert pixel(decode_image(encoded(half, form, **({"lossless": True} if form == "WEBP" else {})), 9)) == expected
    drawing = Image.new("RGBA", (9, 9), (0, 0, 0, 0))  # as clip art comes: black where it is transparent
    drawing.putpixel((4, 4), (0, 0, 0, 255))
    found = decode_image(encoded(drawing, form, **({"lossless": True} if form == "WEBP" else {})), 9)
    assert (pixel(found), found.getpixel((4, 4))) == ((255, 255, 255), (0, 0, 0))


def test_transparency_of_greys_palettes_and_single_colours(encoded) -> None:
    assert pixel(decode_image(encoded(Image.new("LA", (9, 9), (5, 0))), 9)) == (255, 255, 255)
    assert pixel(decode_image(encoded(Image.new("LA", (9, 9), (0, 51))), 9)) == (204, 204, 204)
    palette = Image.new("P", (9, 9), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((4, 4), 0)
    for form, transparency in (("PNG", 1), ("PNG", bytes([255, 0])), ("GIF", 1)):
        found = decode_image(encoded(palette, form, transparency=transparency), 9)
        assert (pixel(found), found.getpixel((4, 4))) == ((255, 255, 255), (10, 20, 30))
    keyed = Image.new("RGB", (9, 9), (1, 2, 3))
    assert pixel(decode_image(encoded(keyed, transparency=(1, 2, 3)), 9)) == (255, 255, 255)
    assert pixel(decode_image(encoded(Image.new("L", (9, 9), 7), transparency=7), 9)) == (255, 255, 255)


def test_bytes_of_other_formats(encoded) -> None:
    green = Image.new("RGB", (20, 16), (0, 255, 0))
    for form in ("BMP", "TIFF"):
        assert pixel(decode_image(encoded(green, form), 16)) == (0, 255, 0)
    for form in ("WEBP", "JPEG"):
        assert pixel(decode_image(encoded(green, form), 16)) == pytest.approx((0, 255, 0), abs=2)


def test_cmyk_is_turned_to_rgb(encoded) -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert pixel(decode_image(data, 16)) == pytest.approx((255, 0, 0), abs=6)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_16_bits_become_8(encoded, dtype) -> None:
    image = Image.fromarray(GRADIENT.astype(dtype))
    found = np.asarray(decode_image(encoded(image, "TIFF"), 16))
    assert np.array_equal(found, np.repeat((GRADIENT >> 8)[:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("brightest", "shift"), [(81, 0), (255, 0), (256, 2), (1023, 2), (1024, 4), (4095, 4), (4096, 6), (65_535, 8)]
)
@pytest.mark.parametrize(("dtype", "form"), [(np.uint16, "PNG"), (np.uint16, "TIFF"), (np.int32, "TIFF")])
def test_wide_integers_are_scaled_by_the_bits_that_hold_the_brightest(encoded, dtype, form, brightest, shift) -> None:
    values = np.linspace(0, brightest, 81).round().astype(dtype).reshape(9, 9)
    found = np.asarray(decode_image(encoded(Image.fromarray(values), form), 9))
    assert np.array_equal(found, np.repeat((values.astype(int) >> shift)[:, :, None], 3, axis=2))


def test_wide_integers_below_zero_and_beyond_16_bits(encoded) -> None:
    values = np.array([[-5, 0], [2**23, 2**24 - 1]], np.int32)
    found = np.asarray(decode_image(encoded(Image.fromarray(values), "TIFF"), 2))[:, :, 0]
    assert found.tolist() == [[0, 0], [128, 255]]


def test_cmyk_of_a_tiff(encoded) -> None:
    assert pixel(decode_image(encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "TIFF"), 9)) == (255, 0, 0)
    assert pixel(decode_image(encoded(Image.new("CMYK", (9, 9), (0, 0, 0, 255)), "TIFF"), 9)) == (0, 0, 0)


def test_damaged_exif_says_nothing_of_the_pixels(encoded) -> None:
    data = encoded(Image.new("RGB", (16, 9), (0, 255, 0)), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert decode_image(data, 9).size == (16, 9)


def test_an_image_that_starts_a_program_is_not_opened() -> None:
    with pytest.raises(ValueError, match="it is not an image in a known format"):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", 9)


def test_a_header_that_claims_50000_pixels_a_side(encoded) -> None:
    data = bytearray(encoded(Image.new("L", (9, 9))))
    data[16:24] = struct.pack(">II", 50_000, 50_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    with pytest.raises(ValueError, match=r"Image size \(2500000000 pixels\) exceeds limit"):
        decode_image(bytes(data), 9)


def test_floats_are_refused(encoded) -> None:
    with pytest.raises(ValueError, match="floats"):
        decode_image(encoded(Image.new("F", (9, 9), 0.5), "TIFF"), 9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(encoded, orientation) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 240
    # What a camera stores so that the orientation turns it upright, by the definition of the tag.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(np.asarray(decode_image(data, 16)), upright)


def test_an_animation_gives_its_first_frame(encoded) -> None:
    first, second = Image.new("RGB", (9, 9), (255, 0, 0)), Image.new("RGB", (9, 9), (0, 0, 255))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert pixel(decode_image(data, 9)) == (255, 0, 0)


def test_a_large_jpeg_is_decoded_smaller_but_not_below_what_is_asked_for(encoded) -> None:
    rows, columns = np.mgrid[0:400, 0:600]
    smooth = np.stack([rows * 255 // 400, columns * 255 // 600, (rows + columns) * 255 // 1000], axis=2)
    image = Image.fromarray(smooth.astype(np.uint8))
    data = encoded(image, "JPEG", quality=95)
    sizes = [decode_image(data, side).size for side in (400, 201, 200, 101, 100, 50, 1)]
    assert sizes == [(600, 400), (600, 400), (300, 200), (300, 200), (150, 100), (75, 50), (75, 50)]
    drafted = np.asarray(decode_image(data, 100).resize((75, 50), Image.Resampling.BICUBIC)).astype(int)
    whole = np.asarray(decode_image(data, 400).resize((75, 50), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(drafted - whole).mean() < 1
    assert np.abs(drafted - whole).max() <= 4


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_damage_is_a_value_error_that_says_why(encoded, form) -> None:
    random = np.random.default_rng(0)
    data = encoded(Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)), form)
    for damaged in (b"", b"\0" * 500, b"<html>no image here</html>", data[:20], data[: len(data) // 2]):
        with pytest.raises(ValueError, match=r"\w+") as error:
            decode_image(damaged, 16)
        assert " at 0x" not in str(error.value)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(encoded, monkeypatch) -> None:
    data = encoded(Image.new("L", (100, 50)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
    with pytest.raises(ValueError, match="exceeds limit"):
        decode_image(data, 16)
