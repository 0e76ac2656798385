"""Bytes of an image file to an upright RGB picture."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def decode_image(data: bytes, least_side: int) -> Image.Image:
    """Decode an image; of an animation the first frame.

    EXIF orientation is applied, transparency dropped, 16 bits a channel become 8. A JPEG whose shorter side is at least
    twice ``least_side`` is decoded at 1/2, 1/4 or 1/8 of its size (libjpeg does so while decoding, several times
    faster), but never below ``least_side``: the last scaling is bicubic still.

    Args:
        data: The file's content.
        least_side: Pixels that the shorter side has to keep.

    Raises:
        ValueError: It is not a complete image, or has too many pixels; says why.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft(None, (least_side, least_side))
            return _as_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:  # its message has an address in it, another in each process
        raise ValueError("it is not an image in a known format") from error
    except Exception as error:  # whatever the bytes lead Pillow's plugins to: struct.error and IndexError too
        raise ValueError(str(error) or type(error).__name__) from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        image.load()
        return image
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip to 8
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floats, whose range is not known")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
