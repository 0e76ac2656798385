"""Small images and videos, made in ``tmp_path``."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 64, 48


@pytest.fixture
def encoded():
    """Bytes of an image: ``encoded(image, "JPEG", quality=90)``."""

    def encode(image: Image.Image, form: str = "PNG", **options) -> bytes:
        data = io.BytesIO()
        image.save(data, form, **options)
        return data.getvalue()

    return encode


@pytest.fixture
def film():
    """Write a video whose frame ``i`` is grey of level ``4 * i`` on the left and bright on the right."""
    av = pytest.importorskip("av")

    def write(
        path: Path,
        *,
        codec: str = "libx264",
        frames: int = 50,
        times_ms: list[int] | None = None,
        gop: int = 12,
        form: str | None = None,
    ) -> Path:
        times_ms = [40 * number for number in range(frames)] if times_ms is None else times_ms
        clock = Fraction(1, 25) if all(time % 40 == 0 for time in times_ms) else Fraction(1, 1000)
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.gop_size = gop
            stream.codec_context.time_base = clock
            for number, time in enumerate(times_ms):
                pixels = np.full((HEIGHT, WIDTH, 3), 4 * number % 200, np.uint8)
                pixels[:, WIDTH // 2 :] = 250
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.time_base, frame.pts = clock, int(Fraction(time, 1000) / clock)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write
