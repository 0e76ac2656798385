"""Small images."""

import io

import pytest
from PIL import Image


@pytest.fixture
def encoded():
    """Bytes of an image: ``encoded(image, "JPEG", quality=90)``."""

    def encode(image: Image.Image, form: str = "PNG", **options) -> bytes:
        data = io.BytesIO()
        image.save(data, form, **options)
        return data.getvalue()

    return encode
