"""Media are found however people have packed them. Every image is of one grey level, which names it."""

import io
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from pipelines.artifacts.listing import folder_files
from pipelines.errors import InputError
from pipelines.media import MediaList, View, open_media, row_ids
from pipelines.media.tars import expand

NFC, NFD = (unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def grey(encoded):
    return lambda level: encoded(Image.new("RGB", (8, 8), (level, level, level)))


@pytest.fixture
def pack(tmp_path, grey):
    """Images of levels 10, 20, ... under some names, as a folder, a zip or a tar."""

    def make(kind: str, *names: str):
        path = tmp_path / ("media" if kind == "folder" else f"media.{kind}")
        files = {name: grey(10 * place) for place, name in enumerate(names, start=1)}
        if kind == "folder":
            for name, data in files.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(data)
        elif kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
        else:
            with tarfile.open(path, "w") as archive:
                for name, data in files.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
        return path

    return make


def levels(path, *ids: str) -> list[int]:
    source = open_media(path, MediaList(list(ids)), view=View(8))
    return source.batch(torch.arange(len(ids)))[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["Images/a.png", "Images/b.png"], ["a.png", "b"]),
        (["top/x/1.png", "top/y/1.png"], ["x/1", "y/1.png"]),
        (["A.JPG", "b.PNG"], ["A.jpg", "b"]),
        (["a.b.png", "c.png"], ["a.b", "c.png"]),
        (["in/000.img.png", "in/001.img.png"], ["000", "001.img"]),
        ([f"x/{NFD}", "y.png"], [NFC, "y"]),
        ([NFC, "y.png"], [NFD, "y.png"]),
        (["win\\a.png", "win\\sub\\b.png"], ["a", "sub/b.png"]),
        (["a.png", "b.png", "__MACOSX/._a.png", "._b.png", "__MACOSX/a.png"], ["a", "b"]),
        (["00000/000000000.jpg", "00001/000010000.jpg", "00000_stats.json"], ["000000000", "00001/000010000"]),
    ],
)
def test_a_name_is_found_whatever_is_around_it(pack, kind, names, ids) -> None:
    assert levels(pack(kind, *names), *ids) == [10, 20]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize(
    ("names", "media_id"),
    [
        (["x/a.png", "y/a.png"], "a.png"),
        (["a.png", "a.jpg"], "a"),
        (["000.img.png", "000.seg.png"], "000"),
        (["a.JPG", "x/a.jpg"], "a"),
    ],
)
def test_a_name_that_two_files_have_is_refused_with_both(pack, kind, names, media_id) -> None:
    with pytest.raises(InputError, match=f"two media have the name {media_id}: ") as error:
        levels(pack(kind, *names), media_id)
    assert all(name in str(error.value) for name in names)
    assert levels(pack(kind, *names), names[1]) == [20]  # by its whole name


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_what_is_missing_is_named_beside_what_is_there(pack, kind) -> None:
    path = pack(kind, "a.png", "b.png", "c.png")
    with pytest.raises(InputError, match=r"3 of 4 media are missing there, first: x, y; it holds a\.png, b\.png$"):
        levels(path, "a", "x", "y", "b.jpg")
    with pytest.raises(InputError) as error:
        levels(path, "x" * 5000)
    assert len(str(error.value)) < len(str(path)) + 140


def test_a_mac_that_does_not_say_that_names_in_a_zip_are_utf8(pack) -> None:
    path = pack("zip", NFD.encode().decode("cp437"))  # written with the flag; taken away below
    data = path.read_bytes()
    stored, meant = NFD.encode().decode("cp437").encode(), NFD.encode()
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("X" * len(meant))
        archive.writestr(info, zipfile.ZipFile(io.BytesIO(data)).read(stored.decode()))
    path.write_bytes(path.read_bytes().replace(b"X" * len(meant), meant))
    assert levels(path, NFC) == [10]


@pytest.mark.parametrize("name", ["../a.png", "/abs/a.png", "x/../../a.png", "C:\\a.png", "..\\a.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_of_an_archive_are_refused(pack, kind, name) -> None:
    with pytest.raises(
        InputError, match=rf"media\.{kind}: the name of member .+ leads out of the archive; make it again"
    ):
        levels(pack(kind, "b.png", name), "b.png")


@pytest.mark.parametrize("media_id", ["../secret.png", "x/../../secret.png"])
def test_an_id_does_not_lead_out_of_a_folder(pack, tmp_path, grey, media_id) -> None:
    path = pack("folder", "x/a.png")
    (tmp_path / "secret.png").write_bytes(grey(1))
    with pytest.raises(InputError, match="1 of 1 media are missing there"):
        levels(path, media_id)


def test_the_root_of_the_file_system_is_not_walked_through() -> None:
    with pytest.raises(InputError, match="/: is the root of the file system; give the folder of the media"):
        next(folder_files(Path("/")))


def test_a_folder_of_more_files_than_any_data_set_is_given_up(pack, monkeypatch) -> None:
    path = pack("folder", "a.png", "b.png", "c.png")
    monkeypatch.setattr("pipelines.artifacts.listing._MOST_FILES", 2)
    with pytest.raises(InputError, match="media: has more than 2 files; give the folder of the media alone"):
        list(folder_files(path))


def test_links_are_followed_but_not_in_circles(pack, tmp_path) -> None:
    path = pack("folder", "sub/a.png")
    (path / "sub" / "up").symlink_to("..")
    (path / "other").symlink_to(path / "sub")
    (path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert [each.name for each in folder_files(path)] == ["other/a.png", "sub/a.png"]


def test_a_zip_bomb_is_damage_not_a_full_memory(tmp_path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10_000_000))
    monkeypatch.setattr("pipelines.media.files._LARGE_MEMBER", 1_000_000)
    with pytest.raises(
        InputError, match=r"a\.zip: image a\.png can't be decoded \([\d,]+ bytes that unpack to 10,000,000"
    ):
        levels(tmp_path / "a.zip", "a.png")


@pytest.mark.parametrize(
    "pattern", ["{0..999}{0..999}{0..999}.tar", "{0..99999999}.tar", "{0..9999999999999999999999}.tar"]
)
def test_ranges_that_name_too_many_files_are_refused_at_once(tmp_path, pattern) -> None:
    with pytest.raises(InputError, match=r"more than 1,000,000 files; give fewer, or a folder$"):
        expand(tmp_path / pattern)


def table(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


@pytest.fixture
def structs(grey):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return lambda *numbers, path=None: pa.array([{"bytes": grey(n), "path": path and path(n)} for n in numbers], kind)


@pytest.mark.parametrize("name", ["image_id", "video_id", "id", "photo"])
def test_ids_in_any_column_of_parquet(tmp_path, structs, name) -> None:
    path = table(tmp_path / "a.parquet", **{"image": structs(10, 20, 30), name: [7, 8, 9], "width": [5, 5, 5]})
    assert levels(path, "9", "7") == [30, 10]


def test_columns_that_ids_are_looked_for_in_may_be_more_than_2_gib(tmp_path, structs) -> None:
    path = table(tmp_path / "a.parquet", image=structs(10), caption=["a text"])
    kinds = [row_ids._of_all([path], name).type for name in ("caption", row_ids._ROWS)]
    assert kinds == [pa.large_string()] * 2


def test_rows_without_ids_are_called_as_prepare_calls_them(tmp_path, structs) -> None:
    (tmp_path / "data").mkdir()
    table(tmp_path / "data" / "train-0.parquet", image=structs(10, 20, 30))
    table(tmp_path / "data" / "train-1.parquet", image=structs(40))
    (tmp_path / "README.md").write_text("a data set of the hub")
    for path in (tmp_path, tmp_path / "data", tmp_path / "data" / "train-{0..1}.parquet"):
        assert levels(path, "train-1.parquet#0", "train-0.parquet#2") == [40, 30]


def test_paths_beside_the_bytes_are_found_as_file_names_are(tmp_path, structs) -> None:
    path = table(tmp_path / "a.parquet", image=structs(10, 20, path=lambda n: f"Images/{n}.PNG"))
    assert levels(path, "20.png", "10") == [20, 10]


def test_two_columns_that_differ_are_refused_unless_one_is_media_id(tmp_path, structs) -> None:
    path = table(tmp_path / "a.parquet", image=structs(10, 20), image_id=[0, 1], id=[1, 0])
    with pytest.raises(InputError, match="both hold the ids of the media, in different rows; name the right column"):
        levels(path, "0", "1")
    path = table(tmp_path / "a.parquet", image=structs(10, 20), image_id=[0, 1], media_id=["1", "0"])
    assert levels(path, "0", "1") == [20, 10]


def test_an_id_of_two_rows_is_refused(tmp_path, structs) -> None:
    path = table(tmp_path / "a.parquet", image=structs(10, 20, 30), image_id=[7, 7, 8])
    with pytest.raises(InputError, match=r"a\.parquet: 1 values of .+ occur more than once, first: 7"):
        levels(path, "8", "7")
    assert levels(path, "8") == [30]


def test_img2dataset_files_lie_beside_parquet_without_bytes(pack) -> None:
    path = pack("folder", "00000/000000000.jpg", "00000/000000001.jpg")
    table(path / "00000.parquet", key=["000000000", "000000001"], caption=["a", "b"])
    assert levels(path, "000000001", "00000/000000000.jpg") == [20, 10]
