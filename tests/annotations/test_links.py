"""``--media-root`` finds media by the rule of ``--media``, however people have packed them."""

import io
import tarfile
import unicodedata
import zipfile

import pytest

from pipelines.annotations import links
from pipelines.errors import InputError

NFC, NFD = (unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """Empty files of some names in a folder or zip called ``m``."""
    monkeypatch.chdir(tmp_path)

    def make(kind: str, names: list[str]):
        path = tmp_path / "m"
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name in names:
                    archive.writestr(name, "")
        else:
            for name in names:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).touch()
        return path.relative_to(tmp_path)

    return make


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("find", "names", "wanted"),
    [
        (links.images, ["top/in/a.jpg", "b.JPG"], ["a.jpg", "b.jpg"]),
        (links.images, [f"x/{NFD}", "b.jpg"], [NFC, "b.jpg"]),
        (links.images, ["win\\a.jpg", "win\\in\\b.jpg"], ["a.jpg", "in/b.jpg"]),
        (links.images, ["a.jpg", "b.jpg", "__MACOSX/x/a.jpg", "x/._b.jpg", ".x/b.jpg"], ["a.jpg", "b.jpg"]),
        (links.videos, ["top/a.MP4", "b.x.webm", "a.jpg", "b.txt"], ["a", "b"]),
    ],
)
def test_a_name_is_found_whatever_is_around_it(pack, kind, find, names, wanted) -> None:
    found, _ = find(pack(kind, names))(wanted)
    assert found == ([f"m/{name}" for name in names[:2]] if kind == "folder" else [f"zip://{n}::m" for n in names[:2]])


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_is_not_there(pack, kind) -> None:
    root = pack(kind, ["a.jpg", "notes.txt", "in/b.png"])
    assert links.images(root)(["x.jpg", "notes.txt"])[0][0] is None
    assert sorted(links.images(root)([])[1]) == ["a.jpg", "in/b.png"]
    assert links.videos(root)(["a"]) == ([None], [])


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_two_files_of_one_name_are_named(pack, kind) -> None:
    with pytest.raises(InputError, match=r"m: two media have the name a: x/a\.mp4 and y/a\.mkv; leave one of them"):
        links.videos(pack(kind, ["x/a.mp4", "y/a.mkv"]))(["a"])


def test_shards_as_tars_and_as_folders(pack) -> None:
    root = pack("folder", ["00001/000010000.PNG", "00001/000010000.json"])
    with tarfile.open(root / "00000.tar", "w") as archive:
        for name in ("./000000000.json", "./000000000.jpg", "in/000000001.img.jpg"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    found, seen = links.shards(root)(["00000/000000000", "00000/000000001", "00001/000010000", "00000/2", "00002/0"])
    assert found == [
        "tar://./000000000.jpg::m/00000.tar",
        "tar://in/000000001.img.jpg::m/00000.tar",
        "m/00001/000010000.PNG",
        None,
        None,
    ]
    assert seen == ["./000000000.jpg", "in/000000001.img.jpg", "000010000.PNG"]
