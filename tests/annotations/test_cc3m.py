"""``prepare cc3m``: the TSV, and img2dataset's shards."""

import pytest
from conftest import shard

LINE = ("prepare", "cc3m", "--root", "root", "-o", "out.parquet")
FIRST = [("000000000", "a", "success"), ("000000001", "b", "failed_to_download")]


@pytest.fixture
def shards(downloads, tmp_path, monkeypatch):
    """Two training shards and one of validation; a TSV is there as well."""
    downloads("cc3m")
    monkeypatch.setattr("pipelines.annotations.cc3m.PUBLISHED", {"train": 3, "val": 1})
    shard(tmp_path / "root" / "images", 0, FIRST)
    shard(tmp_path / "root" / "images", 1, [("000010000", "c", "success")])
    shard(tmp_path / "root" / "validation", 0, [("000000000", "d", "success")])
    return tmp_path / "root"


@pytest.mark.parametrize("header", ["", "caption\turl\n"])
def test_tsv(downloads, prepared, header) -> None:
    file = downloads("cc3m") / "Train_GCC-training.tsv"
    file.write_text(header + file.read_text())
    rows, _ = prepared("cc3m")
    assert rows == {
        "sample_id": ["train_000000000", "train_000000001", "val_000000000"],
        "text": ['a "b', "c", "d"],
        "media_id": ["train_000000000", "train_000000001", "val_000000000"],
        "split": ["train", "train", "val"],
        "url": ["http://host/1", "http://host/2", "http://host/3"],
    }


def test_shards_with_the_images_that_could_be_downloaded(shards, prepared) -> None:
    rows, said = prepared("cc3m")
    assert rows["sample_id"] == ["train_000000000", "train_000010000", "val_000000000"]
    assert rows["text"] == ["a", "c", "d"]
    assert rows["shard"] == ["images/00000", "images/00001", "validation/00000"]
    assert "1 of 3 train images could not be downloaded" in said


def test_images_are_linked_in_tars(shards, prepared, refused) -> None:
    rows, _ = prepared("cc3m", "--media-root", "root")
    assert rows["media"][1] == "tar://000010000.jpg::root/images/00001.tar"
    shard(shards / "images", 0, FIRST, in_tar=["000000001"])
    said = refused(*LINE, "--media-root", "root", "--force")
    assert said.startswith("root: 1 of 3 media are missing there, first: images/00000/000000000; it holds ")
    (shards / "images" / "00000.tar").write_bytes(b"x" * 700)
    said = refused(*LINE, "--media-root", "root", "--force")
    assert said.startswith("root/images/00000.tar: not a complete, uncompressed tar archive (")


def test_half_of_the_shards(shards, refused, prepared) -> None:
    (shards / "images" / "00000.parquet").unlink()
    said = refused(*LINE)
    assert said.startswith("root/images: 1 of 2 shards are missing, first: 00000.parquet; --allow-partial")
    rows, said = prepared("cc3m", "--allow-partial")
    assert rows["text"] == ["c", "d"]
    assert "1 train rows of img2dataset, 3 were published: 2 are missing" in said


def test_shards_without_captions(shards, refused) -> None:
    import pyarrow.parquet as pq

    path = shards / "images" / "00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["caption"]), path)
    assert refused(*LINE).startswith("root/images/00001.parquet: no column 'caption' (columns: key, status")


def test_the_tsv_names_no_images(downloads, refused) -> None:
    downloads("cc3m")
    said = refused(*LINE, "--media-root", "root")
    assert said.startswith("root: samples of the TSV name no image files; download with img2dataset")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("http://host/1\ta\nhttp://host/2\tb\n", "2 rows have no URL in column 2, first: 'a'"),
        ("a\tb\thttp://host/1\n", "can't be parsed as caption<TAB>url (CSV parse error"),
        ("a\thttp://host/1\n", "1 rows, 2 were published: 1 are missing; get the whole file"),
    ],
)
def test_refusals(downloads, refused, content, message) -> None:
    (downloads("cc3m") / "Train_GCC-training.tsv").write_text(content)
    assert refused(*LINE).startswith(f"root/some/where/Train_GCC-training.tsv: {message}")
