"""What all published data sets have in common: finding files, counting, linking media, ``--list``."""

import pyarrow.parquet as pq
import pytest

from pipelines.annotations.published import READERS
from pipelines.artifacts import ANNOTATIONS, read_table
from pipelines.catalogue import DATA_SETS

# Of each data set, rows by split, and a file to lose or to shorten.
SPLITS = {
    "flickr30k": {"train": 5, "val": 5, "test": 5},
    "mscoco": {"train": 11, "val": 5, "test": 5, "extra": 2},
    "cc3m": {"train": 2, "val": 1},
    "ek100": {"train": 2, "test": 1},
    "youcook2": {"train": 2, "val": 1, "test": 3},
    "msrvtt": {"train": 3, "test": 1},
}
MANY_FILES = [name for name in SPLITS if name not in ("flickr30k", "mscoco")]


def line(name: str, *extra: object) -> tuple[object, ...]:
    return ("prepare", name, "--root", "root", "-o", "out.parquet", *extra)


def test_every_data_set_has_a_reader() -> None:
    assert list(READERS) == list(DATA_SETS) == list(SPLITS)


def test_the_list_says_what_to_download_and_from_where(mmts) -> None:
    ran = mmts("prepare", "--list")
    assert (ran.code, ran.err) == (0, "")
    for data_set in DATA_SETS.values():
        assert data_set.title in ran.out
        for way in data_set.ways:
            for download in way:
                assert download.names[0] in ran.out
                assert download.source in ran.out
    assert "http" not in ran.out


@pytest.mark.parametrize("name", SPLITS)
def test_files_are_found_at_any_depth_and_become_annotations(downloads, mmts, tmp_path, name) -> None:
    downloads(name)
    ran = mmts(*line(name))
    assert (ran.code, ran.err) == (0, "")
    table = read_table(tmp_path / "out.parquet", ANNOTATIONS)
    assert {row["values"]: row["counts"] for row in table.column("split").value_counts().to_pylist()} == SPLITS[name]
    assert "splits: " + ", ".join(f"{split} {rows}" for split, rows in SPLITS[name].items()) in ran.out
    assert "up to date" in mmts(*line(name)).out


@pytest.mark.parametrize("name", SPLITS)
def test_one_split_needs_only_its_files(downloads, mmts, tmp_path, name) -> None:
    folder = downloads(name)
    split = DATA_SETS[name].splits[-1]
    needed = {n for way in DATA_SETS[name].ways for d in way if split in d.splits for n in d.names}
    for file in folder.iterdir():
        if file.name not in needed:
            file.unlink()
    assert mmts(*line(name, "--split", split)).code == 0
    assert set(pq.read_table(tmp_path / "out.parquet").column("split").to_pylist()) <= {split, "extra"}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_that_is_not_there(downloads, refused, name) -> None:
    downloads(name)
    assert refused(*line(name, "--split", "dev")) == f"--split dev: {name} has {', '.join(DATA_SETS[name].splits)}"


@pytest.mark.parametrize("name", SPLITS)
def test_a_wrong_folder(downloads, refused, tmp_path, name) -> None:
    downloads(name)
    (tmp_path / "other").mkdir()
    for extra in ((), ("--allow-partial",)):
        said = refused("prepare", name, "--root", "other", "-o", "out.parquet", *extra)
        assert said.startswith(
            f"other: nothing of {name} here or below; it needs {DATA_SETS[name].ways[0][0].names[0]}"
        )
    assert refused("prepare", name, "--root", "nowhere", "-o", "out.parquet") == "nowhere: no such folder"
    (tmp_path / "file").write_text("x")
    assert refused("prepare", name, "--root", "file", "-o", "out.parquet").startswith("file: is a file; a folder")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("name", MANY_FILES)
def test_a_missing_file_is_named_with_its_source(downloads, refused, prepared, name) -> None:
    folder = downloads(name)
    download = DATA_SETS[name].ways[-1][-1]
    (folder / download.names[0]).unlink()
    said = refused(*line(name))
    assert said.startswith(f"root: missing here and below: {download.names[0]} from {download.source}")
    assert said.endswith("(or ask for another --split); --allow-partial continues with what is there")
    _, warned = prepared(name, "--allow-partial")
    assert f"warning: root: missing here and below: {download.names[0]}" in warned


@pytest.mark.parametrize("name", SPLITS)
def test_half_a_download(downloads, refused, name) -> None:
    folder = downloads(name)
    file = folder / DATA_SETS[name].ways[-1 if name == "cc3m" else 0][0].names[0]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    said = refused(*line(name))
    assert said.startswith(f"root/some/where/{file.name}: ")


@pytest.mark.parametrize("name", SPLITS)
def test_two_files_of_one_name(downloads, refused, name) -> None:
    folder = downloads(name)
    file = next(folder.iterdir())
    (folder.parent / file.name).write_bytes(file.read_bytes())
    said = refused(*line(name))
    assert said.startswith(
        f"root: 2 files are named {file.name}: root/some/{file.name} and root/some/where/{file.name};"
    )


@pytest.mark.parametrize("name", SPLITS)
def test_text_that_is_not_utf8(downloads, refused, name) -> None:
    folder = downloads(name)
    for file in folder.iterdir():
        file.write_bytes(
            file.read_bytes().replace(b" ", b"\xff", 1).replace(b"\nc", b"\n\xff").replace(b'"x"', b'"\xff"')
        )
    said = refused(*line(name))
    assert "utf" in said.lower()


@pytest.mark.parametrize("name", ["ek100", "youcook2", "msrvtt"])
def test_videos_are_linked_by_name(downloads, prepared, refused, tmp_path, name) -> None:
    downloads(name)
    videos = {"ek100": ["P01_01.MP4", "P02_03.mp4"], "youcook2": ["aa_b.mkv", "cc.webm"]}.get(
        name, ["video1.mp4", "video2.mp4", "video9.mp4"]
    )
    (tmp_path / "media" / "deep").mkdir(parents=True)
    for video in videos:
        (tmp_path / "media" / "deep" / video).touch()
        (tmp_path / "media" / "deep" / video).with_suffix(".jpg").touch()
    rows, said = prepared(name, "--media-root", "media")
    assert said == ""
    assert rows["media"][0] == f"media/deep/{videos[0]}"
    everything = len(rows["media"])

    (tmp_path / "media" / "deep" / videos[0]).unlink()
    said = refused(*line(name, "--media-root", "media", "--force"))
    missing = f"media: 1 of {len(videos)} media are missing there, first: {videos[0].partition('.')[0]}"
    assert said.startswith(missing)
    rows, said = prepared(name, "--media-root", "media", "--allow-partial")
    assert missing in said
    assert 0 < len(rows["media"]) < everything
    assert None not in rows["media"]


def test_a_folder_without_any_of_the_media(downloads, refused, tmp_path) -> None:
    downloads("msrvtt")
    (tmp_path / "media").mkdir()
    said = refused(*line("msrvtt", "--media-root", "media", "--allow-partial"))
    assert said.endswith(
        "3 of 3 media are missing there, first: video1, video2; it holds no media; is this the folder of the media?"
    )
