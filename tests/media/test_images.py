"""Images from a folder or a zip: squares, decoded once, damage named."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.errors import InputError
from pipelines.media import FeatureMedia, ImageMedia, is_pixels, open_media

IDS = ["wide.png", "sub/tall.png", "square.png"]
RANDOM = np.random.default_rng(0)
ARRAYS = {
    "wide.png": RANDOM.integers(0, 256, (16, 26, 3), dtype=np.uint8),
    "sub/tall.png": RANDOM.integers(0, 256, (21, 16, 3), dtype=np.uint8),
    "square.png": RANDOM.integers(0, 256, (16, 16, 3), dtype=np.uint8),
}
SQUARES = {
    "wide.png": ARRAYS["wide.png"][:, 5:21],
    "sub/tall.png": ARRAYS["sub/tall.png"][2:18],
    "square.png": ARRAYS["square.png"],
}


@pytest.fixture
def folder(tmp_path):
    for name, array in ARRAYS.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    return tmp_path / "images"


@pytest.fixture
def archive(folder):
    path = folder.parent / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in reversed(IDS):
            file.write(folder / name, name)
    return path


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_squares_are_cut_from_the_centre(request, kind) -> None:
    media = ImageMedia(request.getfixturevalue(kind), IDS, 16)
    pixels = media.batch(torch.tensor([2, 0, 1, 0]))
    assert (pixels.dtype, pixels.shape) == (torch.float32, (4, 3, 16, 16))
    for found, name in zip(pixels, ["square.png", "wide.png", "sub/tall.png", "wide.png"], strict=True):
        expected = torch.from_numpy(SQUARES[name].transpose(2, 0, 1).copy()).float() / 255
        assert torch.allclose(found, expected, atol=1e-7), name


def test_the_shorter_side_is_scaled(folder) -> None:
    scaled = Image.fromarray(ARRAYS["wide.png"]).resize((13, 8), Image.Resampling.BICUBIC)
    expected = torch.from_numpy(np.asarray(scaled)[:, 2:10].transpose(2, 0, 1).copy()).float() / 255
    assert torch.allclose(ImageMedia(folder, IDS, 8).batch(torch.tensor([0]))[0], expected, atol=1e-7)


def test_grey_and_transparent_images_become_rgb(tmp_path) -> None:
    Image.new("L", (16, 16), 51).save(tmp_path / "grey.png")
    Image.new("RGBA", (16, 16), (255, 102, 0, 128)).save(tmp_path / "clear.png")
    pixels = ImageMedia(tmp_path, ["grey.png", "clear.png"], 16).batch(torch.arange(2))
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.2, 0.2])
    assert pixels[1, :, 0, 0].tolist() == pytest.approx([1.0, 0.4, 0.0])


def test_an_image_is_decoded_once(folder) -> None:
    media = ImageMedia(folder, IDS, 16)
    first = media.batch(torch.arange(3))
    for name in IDS:
        (folder / name).unlink()
    assert torch.equal(media.batch(torch.arange(3)), first)


def test_more_images_than_memory_are_decoded_each_time(folder, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.media.images._CACHE_BYTES", 2 * 3 * 16 * 16)
    media = ImageMedia(folder, IDS, 16)
    expected = ImageMedia(folder, IDS[:2], 16).batch(torch.tensor([1]))
    assert torch.equal(media.batch(torch.tensor([1])), expected)
    Image.new("RGB", (16, 16)).save(folder / IDS[1])
    assert media.batch(torch.tensor([1])).abs().sum() == 0


def damaged(data: bytes) -> dict[str, bytes]:
    body = bytearray(data)
    body[len(body) // 2] ^= 0xFF
    return {"cut": data[: len(data) // 2], "flipped": bytes(body), "text": b"not an image", "empty": b""}


@pytest.mark.parametrize("how", ["cut", "text", "empty", "flipped"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_corrupt_image_is_named(folder, tmp_path, how, zipped) -> None:
    data = damaged((folder / "wide.png").read_bytes())[how]
    (folder / "wide.png").write_bytes(data)
    path = folder
    if zipped:
        path = tmp_path / "c.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name in IDS:
                file.write(folder / name, name)
    media = ImageMedia(path, IDS, 16)
    media.batch(torch.tensor([1, 2]))
    with pytest.raises(InputError, match=r"(images|c\.zip): image wide\.png can't be decoded \(") as error:
        media.batch(torch.tensor([0]))
    assert "\n" not in str(error.value)


def test_a_corrupt_member_of_a_zip_is_named(archive) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("square.png")
    start = info.header_offset + 30 + len("square.png")
    data[start : start + 40] = bytes(40)
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"images\.zip: image square\.png can't be decoded \("):
        ImageMedia(archive, IDS, 16).batch(torch.arange(3))


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_missing_images_are_counted(request, kind) -> None:
    with pytest.raises(InputError, match=r": 2 of 3 media are missing there, first: a\.png, b\.png$"):
        ImageMedia(request.getfixturevalue(kind), ["a.png", "wide.png", "b.png"], 16)


def test_a_zip_that_is_none(tmp_path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"a\.zip: not a whole zip archive"):
        ImageMedia(tmp_path / "a.zip", IDS, 16)


def test_the_kind_of_media_must_be_the_towers(folder, archive, world) -> None:
    assert (is_pixels(folder), is_pixels(archive), is_pixels(world.media)) == (True, True, False)
    with pytest.raises(InputError, match="holds images, which need a vision model; give one with --media-model"):
        open_media(archive, IDS, image_size=None)
    with pytest.raises(InputError, match="a vision model takes images; give --media a folder or a zip of them"):
        open_media(world.media, world.media_ids, image_size=16)
    assert isinstance(open_media(archive, IDS, image_size=16), ImageMedia)


def test_features_come_by_id(world) -> None:
    ids = world.media_ids[10:4:-1]
    media = open_media(world.media, ids, image_size=None)
    assert isinstance(media, FeatureMedia)
    assert (media.ids, media.dimension) == (ids, 12)
    batch = media.batch(torch.tensor([3, 0]))
    assert batch.tolist() == [world.features[ids[3]].tolist(), world.features[ids[0]].tolist()]
    with pytest.raises(InputError, match=r"media\.parquet: 1 of 2 media are missing there, first: elsewhere"):
        open_media(world.media, [ids[0], "elsewhere"], image_size=None)


def test_bytes_of_any_format_pillow_reads(tmp_path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (20, 16), (0, 255, 0)).save(data, "BMP")
    (tmp_path / "no-suffix").write_bytes(data.getvalue())
    assert ImageMedia(tmp_path, ["no-suffix"], 16).batch(torch.tensor([0]))[0, :, 3, 3].tolist() == [0, 1, 0]
