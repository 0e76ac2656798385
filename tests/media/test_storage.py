"""Where media lie: tars, Parquet, and the annotations' own column. Every image is of one grey level, which names it."""

import io
import multiprocessing
import os
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from pipelines.annotations import links
from pipelines.errors import InputError
from pipelines.media import DamagedMediumError, MediaList, View, media_files, open_media
from pipelines.media.tars import expand

VIEW = View(8)


@pytest.fixture
def grey(encoded):
    return lambda level: encoded(Image.new("RGB", (8, 8), (level, level, level)))


@pytest.fixture
def write_tar():
    def write(path, members):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return write


@pytest.fixture
def shards(tmp_path, write_tar, grey):
    """Three tars of ten samples as img2dataset writes them."""
    for shard in range(3):
        members = {}
        for number in range(10):
            members[f"{shard:05d}{number:04d}.png"] = grey(10 * shard + number)
            members[f"{shard:05d}{number:04d}.txt"] = b"a caption"
            members[f"{shard:05d}{number:04d}.json"] = b"{}"
        write_tar(tmp_path / "shards" / f"{shard:05d}.tar", members)
    return tmp_path / "shards"


def levels(source, rows=None):
    return source.batch(torch.arange(len(source.ids)) if rows is None else torch.tensor(rows))[:, 0, 0, 0].tolist()


def test_tars_give_members_by_key_and_by_name(shards) -> None:
    media = MediaList(["000020003", "000000009.png", "000010000"])
    for path in (shards, shards / "{00000..00002}.tar"):
        source = open_media(path, media, view=VIEW)
        assert levels(source) == [23, 9, 10]
        assert levels(source, [2, 2, 0]) == [10, 10, 23]
    assert levels(open_media(shards / "00001.tar", MediaList(["000010007"]), view=VIEW)) == [17]
    assert media_files(shards / "{00000..00002}.tar") == sorted(shards.glob("*.tar"))


def test_a_members_folder_is_part_of_its_key_and_may_be_left_out(tmp_path, write_tar, grey) -> None:
    path = write_tar(tmp_path / "a.tar", {"./x/1.png": grey(1), "y/2.png": grey(2)})
    assert levels(open_media(path, MediaList(["x/1", "2", "y/2.png"]), view=VIEW)) == [1, 2, 2]


def test_what_is_missing_from_tars_or_there_twice_is_refused(shards, write_tar, grey) -> None:
    with pytest.raises(
        InputError,
        match=r"shards: 2 of 3 media are missing there, first: x, 000030000; it holds 000000000\.png, 000000001\.png$",
    ):
        open_media(shards, MediaList(["x", "000000000", "000030000"]), view=VIEW)
    with pytest.raises(InputError, match=r"00003\.tar: no such file"):
        open_media(shards / "{00000..00003}.tar", MediaList(["000000000"]), view=VIEW)
    write_tar(shards / "00003.tar", {"000000001.png": grey(1)})
    assert levels(open_media(shards, MediaList(["000000002"]), view=VIEW)) == [2]
    with pytest.raises(
        InputError, match=r"the name 000000001: 000000001\.png of 00000\.tar and 000000001\.png of 00003\.tar"
    ):
        open_media(shards, MediaList(["000000001"]), view=VIEW)


def test_a_tar_that_is_compressed_or_cut_is_refused(shards, tmp_path) -> None:
    (tmp_path / "cut.tar").write_bytes((shards / "00000.tar").read_bytes()[:3000])
    with tarfile.open(tmp_path / "small.tar", "w:gz") as archive:
        archive.add(shards / "00000.tar", "a")
    for name in ("cut.tar", "small.tar"):
        with pytest.raises(InputError, match=rf"{name}: not a complete, uncompressed tar archive \("):
            open_media(tmp_path / name, MediaList(["000000000"]), view=VIEW)


def test_a_tar_cut_after_it_was_indexed_damages_its_media(shards) -> None:
    source = open_media(shards, MediaList(["000000000", "000000009"]), view=VIEW)
    os.truncate(shards / "00000.tar", 1000)
    assert levels(source, [0]) == [0]
    with pytest.raises(DamagedMediumError, match=r"00000\.tar: image 000000009 can't be decoded \(the tar ends within"):
        source.load(1)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a-{8..11}.tar", ["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]),
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("{0..1}/{00..01}.tar", ["0/00.tar", "0/01.tar", "1/00.tar", "1/01.tar"]),
        ("a.tar", ["a.tar"]),
    ],
)
def test_patterns(tmp_path, pattern, names) -> None:
    assert expand(tmp_path / pattern) == [tmp_path / name for name in names]


def test_a_pattern_that_runs_backwards(tmp_path) -> None:
    with pytest.raises(InputError, match=r"\{3\.\.2\} names no files; give the lower number first"):
        expand(tmp_path / "{3..2}.tar")


def struct(grey, levels):
    return pa.array([{"bytes": grey(level), "path": f"{level}.png"} for level in levels])


@pytest.mark.parametrize("form", ["bytes", "jpg", "image", "path alone", "key"])
def test_parquet_with_bytes(tmp_path, grey, form) -> None:
    numbers = list(range(12))
    ids = [f"{number}.png" for number in numbers]
    binary = [grey(number) for number in numbers]
    columns = {
        "bytes": {"media_id": ids, "bytes": binary},
        "jpg": {"key": ids, "jpg": binary, "caption": ids},
        "image": {"sample_id": ids, "image": struct(grey, numbers)},
        "path alone": {"label": numbers, "image": struct(grey, numbers)},
        "key": {"__key__": ids, "png": pa.array(binary, pa.large_binary())},
    }[form]
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=5)
    source = open_media(tmp_path / "a.parquet", MediaList(["11.png", "0.png", "5.png", "4.png"]), view=VIEW)
    assert levels(source) == [11, 0, 5, 4]


def test_a_folder_or_pattern_of_parquet_files(tmp_path, grey) -> None:
    (tmp_path / "data").mkdir()
    for part in range(2):
        numbers = range(5 * part, 5 * part + 5)
        table = pa.table({"image": struct(grey, numbers)})
        pq.write_table(table, tmp_path / "data" / f"train-{part}.parquet", row_group_size=2)
    media = MediaList(["9.png", "0.png", "4.png"])
    for path in (tmp_path / "data", tmp_path / "data" / "train-{0..1}.parquet"):
        assert levels(open_media(path, media, view=VIEW)) == [9, 0, 4]
    with pytest.raises(InputError, match=r"data: 1 of 2 media are missing there, first: 10\.png"):
        open_media(tmp_path / "data", MediaList(["9.png", "10.png"]), view=VIEW)


def test_parquet_without_what_it_needs(tmp_path, grey) -> None:
    pq.write_table(pa.table({"bytes": [grey(1)]}), tmp_path / "a.parquet")
    with pytest.raises(
        InputError, match=r"a\.parquet: 1 of 1 media are missing there, first: 1; it holds a\.parquet#0"
    ):
        open_media(tmp_path / "a.parquet", MediaList(["1"]), view=VIEW)
    pq.write_table(pa.table({"key": ["1", "2"], "bytes": [grey(1), None]}), tmp_path / "a.parquet")
    source = open_media(tmp_path / "a.parquet", MediaList(["2", "1"]), view=VIEW)
    assert levels(source, [1]) == [1]
    with pytest.raises(DamagedMediumError, match=r"a\.parquet: image 2 can't be decoded \(there are no bytes of it\)"):
        source.load(0)


def test_large_row_groups_are_warned_of(tmp_path, grey, monkeypatch) -> None:
    pq.write_table(pa.table({"key": ["1", "2"], "bytes": [grey(1), grey(2)]}), tmp_path / "a.parquet")
    monkeypatch.setattr("pipelines.media.byte_tables._LARGE_GROUP", 100)
    with pytest.warns(UserWarning, match="write it with row groups of about 100 rows"):
        open_media(tmp_path / "a.parquet", MediaList(["1"]), view=VIEW)


@pytest.fixture
def linked(tmp_path, shards, grey):
    (tmp_path / "1.png").write_bytes(grey(201))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/2.png", grey(202))
        archive.writestr("3.png", grey(203))
    return [
        f"zip://3.png::{tmp_path / 'a.zip'}",
        str(tmp_path / "1.png"),
        f"tar://000020004.png::{shards / '00002.tar'}",
        f"zip://in/2.png::{tmp_path / 'a.zip'}",
    ]


def test_the_annotations_say_where_media_are(linked) -> None:
    source = open_media(None, MediaList(list("abcd"), linked), view=VIEW)
    assert levels(source) == [203, 201, 24, 202]


def test_what_prepare_writes_is_read(tmp_path, linked, shards) -> None:
    of_tar, of_zip = links.shards(shards.parent), links.images(tmp_path / "a.zip")
    places = [*of_tar(["shards/00001/000010002"])[0], *of_zip(["2.png"])[0]]
    assert levels(open_media(None, MediaList(["a", "b"], places), view=VIEW)) == [12, 202]


def test_annotations_that_name_no_file_or_one_that_is_gone(linked, tmp_path) -> None:
    with pytest.raises(InputError, match=r"annotations: has no column 'media'; give --media the folder or archive"):
        open_media(None, MediaList(["a"]), view=VIEW)
    gone = [None, "gone.png", f"zip://gone.png::{tmp_path / 'a.zip'}", linked[0], linked[2].replace("0004", "9999")]
    with pytest.raises(
        InputError,
        match=r"annotations: column 'media': 4 of 5 media are missing there, first: a \(null\), b \(gone\.png\);",
    ):
        open_media(None, MediaList(list("abcde"), gone), view=VIEW)


def test_damage_names_the_file_it_is_in(linked, tmp_path) -> None:
    (tmp_path / "1.png").write_bytes(b"nothing")
    source = open_media(None, MediaList(list("abcd"), linked), view=VIEW)
    with pytest.raises(DamagedMediumError, match=r"1\.png: image b can't be decoded \("):
        source.load(1)


def _load(source, results):
    results.put(levels(source))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_with_handles_of_their_own(linked, shards, tmp_path, grey, method) -> None:
    pq.write_table(pa.table({"key": ["a", "b"], "png": [grey(1), grey(2)]}), tmp_path / "a.parquet", row_group_size=1)
    sources = [
        open_media(None, MediaList(list("abcd"), linked), view=VIEW, cache_bytes=0),
        open_media(tmp_path / "a.parquet", MediaList(["b", "a"]), view=VIEW, cache_bytes=0),
    ]
    context = multiprocessing.get_context(method)
    for source in sources:
        expected = levels(source)  # opens this process's handles
        results = context.Queue()
        processes = [context.Process(target=_load, args=(source, results)) for _ in range(2)]
        for process in processes:
            process.start()
        assert [results.get(timeout=300) for _ in processes] == [expected] * 2
        for process in processes:
            process.join()


def test_a_view_says_what_it_can_be() -> None:
    for wrong, message in (
        ({"size": 0}, "image size 0"),
        ({"size": 8, "frames": 0}, "--frames 0"),
    ):
        with pytest.raises(InputError, match=message):
            View(**wrong)


def test_pixels_of_a_source_are_the_callers(shards) -> None:
    source = open_media(shards, MediaList(["000020003"]), view=VIEW)
    image = source.load(0)
    image += 1
    assert levels(source) == [23]
    assert np.array_equal(source.load(0)[:, 0, 0], [23, 23, 23])
