"""Bytes of an image file to an upright RGB picture."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

# Formats of data sets; Pillow knows others, of which some start programs (EPS).
_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "JPEG2000", "AVIF", "PPM")
Image.init()
_FORMATS = [name for name in _WANTED if name in Image.OPEN]
_BACKGROUND = (255, 255, 255, 255)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, least_side: int) -> Image.Image:
    """Decode an image; of an animation the first frame.

    EXIF orientation is applied; what is transparent shows white. Grey values of more than 8 bits are scaled by the
    smallest even number of bits, at least 8, that holds the brightest pixel: 12 bits stored in 16 are read as 12.

    A JPEG whose shorter side is at least twice ``least_side`` is decoded at 1/2, 1/4 or 1/8 of its size (libjpeg does
    so while decoding, several times faster), but never below ``least_side``: the last scaling is bicubic still.

    Args:
        data: The file's content.
        least_side: Pixels that the shorter side has to keep.

    Raises:
        ValueError: It is not a complete image, has too many pixels, or its pixels are floats; says why.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            image.draft(None, (least_side, least_side))
            image.load()
            turn = _TURNS.get(_orientation(image))
            return _as_rgb(image if turn is None else image.transpose(turn))
    except UnidentifiedImageError as error:  # its message has an address in it, another in each process
        raise ValueError("it is not an image in a known format") from error
    except Exception as error:  # whatever the bytes lead Pillow's plugins to: struct.error and IndexError too
        raise ValueError(str(error) or type(error).__name__) from error


def _orientation(image: Image.Image) -> int:
    try:
        with warnings.catch_warnings(action="ignore"):
            return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF, as images of the web have it, says nothing of the pixels
        return 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _narrowed(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floats, whose range is not known; store 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _BACKGROUND), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _narrowed(image: Image.Image) -> Image.Image:
    """Grey values of 16 or 32 bits as 8, which Pillow would clip."""
    values = np.asarray(image).astype(np.int64).clip(0)
    bits = max(8, int(values.max(initial=0)).bit_length())
    return Image.fromarray((values >> (bits + bits % 2 - 8)).astype(np.uint8))
