"""Images from a folder or a zip: squares, decoded once, damage named."""

import multiprocessing
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.errors import InputError
from pipelines.media import CACHE_BYTES, DamagedMediumError, FeatureMedia, MediaList, View, open_media
from pipelines.media.images import ImageMedia

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


def images(path, ids, size, cache_bytes=CACHE_BYTES):
    return open_media(path, MediaList(ids), view=View(size), cache_bytes=cache_bytes)


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
    media = images(request.getfixturevalue(kind), IDS, 16)
    pixels = media.batch(torch.tensor([2, 0, 1, 0]))
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (4, 3, 16, 16))
    for found, name in zip(pixels, ["square.png", "wide.png", "sub/tall.png", "wide.png"], strict=True):
        assert torch.equal(found, torch.from_numpy(SQUARES[name].transpose(2, 0, 1).copy())), name
    assert torch.equal(media.load(1), pixels[2])
    assert torch.equal(media.load(1, np.random.default_rng(0)), pixels[2])


def test_the_shorter_side_is_scaled(folder) -> None:
    scaled = Image.fromarray(ARRAYS["wide.png"]).resize((13, 8), Image.Resampling.BICUBIC)
    expected = torch.from_numpy(np.asarray(scaled)[:, 2:10].transpose(2, 0, 1).copy())
    assert torch.equal(images(folder, IDS, 8).load(0), expected)


def test_an_image_is_decoded_once(folder) -> None:
    media = images(folder, IDS, 16)
    first = media.batch(torch.arange(3))
    for name in IDS:
        (folder / name).unlink()
    assert torch.equal(media.batch(torch.arange(3)), first)


def test_a_view_is_not_changed_through_what_was_loaded(folder) -> None:
    media = images(folder, IDS, 16)
    first = media.load(0).clone()
    media.load(0).zero_()
    assert torch.equal(media.load(0), first)


def test_a_forked_process_fills_the_cache_of_all_and_a_spawned_one_has_none(folder) -> None:
    media = images(folder, IDS, 16)
    expected = media.load(0)
    child = multiprocessing.get_context("fork").Process(target=media.load, args=(1,))
    child.start()
    child.join()
    for name in IDS:
        (folder / name).unlink()
    assert torch.equal(media.load(0), expected)
    assert torch.equal(media.load(1), torch.from_numpy(SQUARES[IDS[1]].transpose(2, 0, 1).copy()))
    with pytest.raises(DamagedMediumError):
        pickle.loads(pickle.dumps(media)).load(0)


def test_more_images_than_memory_are_decoded_each_time(folder) -> None:
    media = images(folder, IDS, 16, 2 * 3 * 16 * 16)
    expected = images(folder, IDS[:2], 16).batch(torch.tensor([1]))
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
    media = images(path, IDS, 16)
    media.batch(torch.tensor([1, 2]))
    with pytest.raises(DamagedMediumError, match=r"(images|c\.zip): image wide\.png can't be decoded \(.+\)$") as error:
        media.batch(torch.tensor([0]))
    assert "\n" not in str(error.value)
    copy = pickle.loads(pickle.dumps(error.value))
    assert (type(copy), str(copy), copy.media_id) == (DamagedMediumError, str(error.value), "wide.png")


def test_a_corrupt_member_of_a_zip_is_named(archive) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("square.png")
    start = info.header_offset + 30 + len("square.png")
    data[start : start + 40] = bytes(40)
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"images\.zip: image square\.png can't be decoded \("):
        images(archive, IDS, 16).batch(torch.arange(3))


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_missing_images_are_counted(request, kind) -> None:
    with pytest.raises(
        InputError,
        match=r": 2 of 3 media are missing there, first: a\.png, b\.png; it holds square\.png, sub/tall\.png$",
    ):
        images(request.getfixturevalue(kind), ["a.png", "wide.png", "b.png"], 16)


def test_a_zip_that_is_none(tmp_path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"a\.zip: not a complete zip archive"):
        images(tmp_path / "a.zip", IDS, 16)


def test_the_kind_of_media_must_be_the_towers(folder, archive, world) -> None:
    with pytest.raises(InputError, match="holds images, which need a vision model; give one with --media-model"):
        open_media(archive, MediaList(IDS), view=None)
    with pytest.raises(InputError, match="a vision model takes images; give --media a folder or a zip of them"):
        open_media(world.media, MediaList(world.media_ids), view=View(16))
    assert isinstance(open_media(archive, MediaList(IDS), view=View(16)), ImageMedia)


def test_features_come_by_id(world) -> None:
    ids = world.media_ids[10:4:-1]
    media = open_media(world.media, MediaList(ids), view=None)
    assert isinstance(media, FeatureMedia)
    assert (media.ids, media.dimension) == (ids, 12)
    batch = media.batch(torch.tensor([3, 0]))
    assert batch.tolist() == [world.features[ids[3]].tolist(), world.features[ids[0]].tolist()]
    with pytest.raises(InputError, match=r"media\.parquet: 1 of 2 media are missing there, first: elsewhere"):
        open_media(world.media, MediaList([ids[0], "elsewhere"]), view=None)


def test_images_are_found_by_the_path_the_annotations_give(folder, archive) -> None:
    places = ["wide.png", "zip://sub/tall.png::elsewhere.zip", "./square.png"]
    media = MediaList(["a", "b", "c"], places)
    for path in (folder, archive):
        source = open_media(path, media, view=View(16))
        for row, name in enumerate(IDS):
            assert torch.equal(source.load(row), torch.from_numpy(SQUARES[name].transpose(2, 0, 1).copy()))


def test_members_are_found_without_suffix_unless_two_have_the_name(folder, archive) -> None:
    assert images(archive, ["tall", "sub/tall", "square"], 16).load(0).shape == (3, 16, 16)
    with zipfile.ZipFile(archive, "a") as file:
        file.write(folder / "wide.png", "other/tall.jpg")
    with pytest.raises(InputError, match=r"two media have the name tall: sub/tall\.png and other/tall\.jpg; leave"):
        images(archive, ["tall"], 16)


def test_flickr8k(data_dir) -> None:
    path = data_dir / "flickr8k" / "images_128px.zip"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()[:8]
        with Image.open(archive.open(names[5])) as image:
            size = image.size
            pixels = np.asarray(image.convert("RGB"))
    assert min(size) == 128
    left, top = (size[0] - 128) // 2, (size[1] - 128) // 2
    found = images(path, names, 128).batch(torch.tensor([5, 1]))
    assert found.shape == (2, 3, 128, 128)
    assert np.array_equal(found[0].permute(1, 2, 0).numpy(), pixels[top : top + 128, left : left + 128])
