"""``prepare flickr8k``: captions and the images they name."""

import zipfile

import pyarrow.parquet as pq
import pytest

from pipelines.annotations import prepare_flickr8k
from pipelines.errors import InputError

CAPTIONS = "image,caption,split\n1.jpg,A dog,train\n1.jpg,The dog,train\n2.jpg,A cat,test\n"


@pytest.fixture
def captions(tmp_path):
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    return tmp_path / "captions.csv"


def folder(path, names):
    path.mkdir()
    for name in names:
        (path / name).write_text("x")
    return path


def archive(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path


def test_samples_share_media(captions, tmp_path) -> None:
    result = prepare_flickr8k(captions, tmp_path / "out.parquet")
    assert pq.read_table(result.output).to_pydict() == {
        "sample_id": ["1.jpg#0", "1.jpg#1", "2.jpg#0"],
        "text": ["A dog", "The dog", "A cat"],
        "media_id": ["1.jpg", "1.jpg", "2.jpg"],
        "split": ["train", "train", "test"],
    }
    assert result.summary == {"rows": 3, "distinct_texts": 3, "media": 2, "splits": {"train": 2, "test": 1}}


@pytest.mark.parametrize(
    ("make", "name", "media"),
    [(folder, "images", "{}/1.jpg"), (archive, "images.zip", "zip://1.jpg::{}")],
)
def test_images_are_located(captions, tmp_path, make, name, media) -> None:
    images = make(tmp_path / name, ["1.jpg", "2.jpg", "3.jpg"])
    prepare_flickr8k(captions, tmp_path / "out.parquet", images=images)
    located = pq.read_table(tmp_path / "out.parquet").column("media").to_pylist()
    assert located[0] == media.format(images)


@pytest.mark.parametrize(("make", "name"), [(folder, "images"), (archive, "images.zip")])
def test_missing_images_are_counted_and_named(captions, tmp_path, make, name) -> None:
    images = make(tmp_path / name, ["2.jpg"])
    with pytest.raises(InputError, match=r"1 of 2 media are missing there, first: 1\.jpg"):
        prepare_flickr8k(captions, tmp_path / "out.parquet", images=images)
    assert not (tmp_path / "out.parquet").exists()


def test_images_added_to_the_folder_are_work(captions, tmp_path) -> None:
    images = folder(tmp_path / "images", ["1.jpg", "2.jpg"])
    prepare_flickr8k(captions, tmp_path / "out.parquet", images=images)
    assert prepare_flickr8k(captions, tmp_path / "out.parquet", images=images).up_to_date
    (images / "3.jpg").write_text("x")
    assert not prepare_flickr8k(captions, tmp_path / "out.parquet", images=images).up_to_date


def test_a_file_that_is_no_archive_is_refused(captions, tmp_path) -> None:
    (tmp_path / "images.zip").write_text("x")
    with pytest.raises(InputError, match=r"images\.zip: not a complete zip archive"):
        prepare_flickr8k(captions, tmp_path / "out.parquet", images=tmp_path / "images.zip")


@pytest.mark.parametrize(
    ("content", "message"),
    [("img,caption\n1.jpg,A dog\n", "no column 'image'; did you mean 'img'"), ("image,caption\n,A dog\n", "1 rows")],
)
def test_captions_without_images_are_refused(tmp_path, content, message) -> None:
    (tmp_path / "captions.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        prepare_flickr8k(tmp_path / "captions.csv", tmp_path / "out.parquet")


def test_flickr8k_itself(data_dir, tmp_path) -> None:
    folder = data_dir / "flickr8k"
    result = prepare_flickr8k(folder / "captions.csv", tmp_path / "out.parquet", images=folder / "images_128px.zip")
    assert result.summary["rows"] == 40_000
    assert result.summary["media"] == 8_000
    assert result.summary["splits"] == {"train": 30_000, "val": 5_000, "test": 5_000}
