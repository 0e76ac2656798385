"""Thumbnails of images and clips, wherever they lie; what is missing or damaged has none."""

import base64
import io
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipelines.errors import InputError
from pipelines.views.thumbnails import Thumbnails, make_thumbnails

COLOURS = {"a": (200, 30, 30), "b": (30, 200, 30), "c": (30, 30, 200)}


def picture_of(uri: str) -> Image.Image:
    head, encoded = uri.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def colour_of(uri: str) -> list[int]:
    return np.asarray(picture_of(uri).convert("RGB")).mean(axis=(0, 1)).round(-1).astype(int).tolist()


def encoded(image: Image.Image, form: str) -> bytes:
    data = io.BytesIO()
    image.save(data, form, quality=95)
    return data.getvalue()


@pytest.fixture
def annotations(tmp_path, write_artifact):
    rows = {"sample_id": ["1", "2", "3", "4"], "text": ["t"] * 4, "media_id": ["a", "b", "c", "a"]}
    return write_artifact(tmp_path / "annotations.parquet", rows)


@pytest.fixture
def images(tmp_path):
    """A zip of three images, each 300 x 200 pixels of one colour."""
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, colour in COLOURS.items():
            archive.writestr(f"{name}.jpg", encoded(Image.new("RGB", (300, 200), colour), "JPEG"))
    return tmp_path / "images.zip"


def test_images_of_an_archive(annotations, images) -> None:
    found = make_thumbnails(annotations, ["c", "a", "c"], media=images, side=48)
    assert list(found.uris) == ["c", "a"]
    assert (found.lacking, found.left_out) == ({}, 0)
    assert [colour_of(found.uris[name]) for name in ("c", "a")] == [[30, 30, 200], [200, 30, 30]]
    assert picture_of(found.uris["a"]).size == (48, 32)


def test_images_where_the_annotations_say(annotations, images, tmp_path, write_artifact) -> None:
    rows = {"sample_id": ["1"], "text": ["t"], "media_id": ["x"], "media": [f"zip://b.jpg::{images}"]}
    linked = write_artifact(tmp_path / "linked.parquet", rows)
    assert colour_of(make_thumbnails(linked, ["x"]).uris["x"]) == [30, 200, 30]
    with pytest.raises(InputError, match="has no column 'media'; give --media the folder or archive"):
        make_thumbnails(annotations, ["a"])


def test_a_missing_and_a_damaged_image_have_none(annotations, tmp_path, images) -> None:
    folder = tmp_path / "images"
    with zipfile.ZipFile(images) as archive:
        archive.extractall(folder)
    (folder / "b.jpg").unlink()
    (folder / "c.jpg").write_bytes((folder / "c.jpg").read_bytes()[:300])
    found = make_thumbnails(annotations, ["a", "b", "c"], media=folder)
    assert (list(found.uris), found.left_out) == (["a"], 0)
    assert found.lacking["b"] == "missing"
    assert "truncated" in found.lacking["c"].lower()


def test_all_missing_is_refused(annotations, tmp_path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "other.png").write_bytes(encoded(Image.new("RGB", (4, 4)), "PNG"))
    with pytest.raises(InputError, match=r"2 of 2 media are missing there, first: a, b; it holds other\.png"):
        make_thumbnails(annotations, ["a", "b"], media=tmp_path / "images")


def test_what_has_no_room_is_counted(annotations, images) -> None:
    whole = make_thumbnails(annotations, ["a", "b", "c"], media=images)
    room = len(whole.uris["a"]) + len(whole.uris["b"])
    found = make_thumbnails(annotations, ["a", "b", "c"], media=images, most_bytes=room)
    assert (list(found.uris), found.left_out) == (["a", "b"], 1)
    assert make_thumbnails(annotations, ["a", "b", "c"], media=images, most_bytes=room - 1).left_out == 2


def test_features_are_refused(annotations, tmp_path, write_artifact) -> None:
    vectors = {"media_id": ["a"], "embedding": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))}
    features = write_artifact(tmp_path / "features.parquet", vectors)
    with pytest.raises(InputError, match=r"features\.parquet: holds features, which can't be looked at"):
        make_thumbnails(annotations, ["a"], media=features)
    assert make_thumbnails(annotations, [], media=features) == Thumbnails()


def test_the_middle_frame_of_a_clip(film, tmp_path, write_artifact) -> None:
    film(tmp_path / "clips" / "v.mp4")
    rows = {"sample_id": ["1", "2"], "text": ["t", "t"], "media_id": ["early", "late"], "video_id": ["v", "v"]}
    times = {"start_s": [0.0, 1.0], "end_s": [0.5, 1.5]}
    clips = write_artifact(tmp_path / "clips.parquet", rows | times)
    found = make_thumbnails(clips, ["early", "late"], media=tmp_path / "clips", side=32)
    for name, frame in (("early", 6), ("late", 31)):  # on display at 0.25 and 1.25 s
        grey = np.asarray(picture_of(found.uris[name]).convert("L"), dtype=float)
        assert grey.shape == (24, 32)
        assert grey[:, :12].mean() == pytest.approx(4 * frame, abs=4)
